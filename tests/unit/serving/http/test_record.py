"""`record`: the events of a request for a list are stored, too."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from http_shop import Shop, problem

from serving.recommend.pipeline import Pipeline
from serving.state.store import EventStore

VIEWS = [
    {"event_id": f"v{number}", "event_type": "view_item", "item_id": f"cheese{number}"} for number in (1, 2)
]


def stored(shop: Shop, user: str) -> list[dict[str, Any]]:
    return list(shop.call("GET", f"/v1/users/{user}").json()["events"])


def test_events_are_stored_and_used_for_the_answer(shop: Shop) -> None:
    unstored = shop.recommend(user_id="ann", events=VIEWS)
    assert unstored["recorded"] is None
    assert stored(shop, "ann") == []
    answer = shop.recommend(user_id="ann", session_id="s1", events=VIEWS, record=True)
    assert answer["recorded"] == {"accepted": 2, "duplicates": 0}
    assert answer["items"] == unstored["items"]
    assert {event["item_id"] for event in stored(shop, "ann")} == {"cheese1", "cheese2"}
    assert shop.store.latest_events("ann", limit=1)[0].session_id == "s1"
    assert shop.recommend(user_id="ann")["items"] == answer["items"], "the next answer knows them"
    assert 'shopkeeper_events_total{result="accepted"} 2.0' in shop.call("GET", "/metrics").text


def test_a_retry_counts_once(shop: Shop) -> None:
    first = shop.recommend(user_id="ann", events=VIEWS, record=True)
    again = shop.recommend(user_id="ann", events=VIEWS, record=True)
    assert again["recorded"] == {"accepted": 0, "duplicates": 2}
    assert again["items"] == first["items"]
    assert shop.send(*({**event, "user_id": "ann"} for event in VIEWS))["duplicates"] == 2, "the same key"
    nothing = shop.recommend(user_id="ann", record=True)
    assert nothing["recorded"] == {"accepted": 0, "duplicates": 0}


def test_a_visitor_may_record_and_keeps_no_made_up_user(shop: Shop) -> None:
    shop.recommend(visitor_id="v7", events=VIEWS, record=True)
    (event, _) = shop.store.latest_events("visitor:v7", limit=9)
    assert (event.user_id, event.visitor_id) == (None, "v7")


def test_a_page_records_once(shop: Shop) -> None:
    body = {"user_id": "ann", "events": VIEWS, "record": True, "slots": [{}, {"num_results": 3}]}
    answer = shop.call("POST", "/v1/page", json=body).json()
    assert answer["recorded"] == {"accepted": 2, "duplicates": 0}
    assert [slot["recorded"] for slot in answer["slots"]] == [None, None]


@pytest.mark.parametrize(
    ("more", "field", "said"),
    [
        ({"consent": False}, "record", "contradicts consent: false"),
        ({"validate_only": True}, "record", "contradicts validate_only: true"),
        ({"user_id": None}, "record", "send user_id or visitor_id"),
        ({"user_id": "bot"}, "record", "data.exclude"),
        ({"events": [*VIEWS, {"event_type": "purchase"}]}, "events.2.item_id", "is missing"),
        ({"surface": "magic"}, "surface", "not a surface"),
    ],
)
def test_what_is_wrong_is_refused_and_nothing_is_stored(
    pipeline: Pipeline, tmp_path: Path, more: dict[str, Any], field: str, said: str
) -> None:
    with EventStore.open(tmp_path / "exclude.db") as store:
        shop = Shop(pipeline, store, exclude=("bot",))
        body = {"user_id": "ann", "events": VIEWS, "record": True, **more}
        details = problem(shop.call("POST", "/v1/recommend", json=body), 422)
        assert details["errors"][0]["field"] == field
        assert said in details["errors"][0]["message"]
        assert store.recently_active_users(9) == []


def test_what_cannot_be_stored_is_an_error_and_not_a_list(shop: Shop, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "events.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    body = {"user_id": "ann", "events": VIEWS, "record": True}
    details = problem(shop.call("POST", "/v1/recommend", json=body), 503)
    assert "Nothing of this request was stored" in details["detail"]
    assert shop.recommend(user_id="ann", events=VIEWS)["returned"] == 20, "a list alone waits for no lock"
    other.execute("ROLLBACK")
    other.close()
    assert shop.recommend(**body)["recorded"] == {"accepted": 2, "duplicates": 0}
