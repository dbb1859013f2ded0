"""`consent: false`: answered from the request alone, and nothing is left behind."""

from __future__ import annotations

from pathlib import Path

from http_shop import Shop, bought

from serving.http.schemas import RecommendRequest
from serving.http.service import Service
from serving.recommend.pipeline import Pipeline
from serving.state.live_events import LiveEvent
from serving.state.store import EventStore

WHO = {"user_id": "ann", "visitor_id": "v1", "session_id": "s1"}


def test_what_is_stored_is_not_read_and_the_request_counts_as_ever(shop: Shop) -> None:
    shop.send(*(bought(f"cheese{number}") for number in range(3)))
    known, stranger = shop.recommend(**WHO), shop.recommend()
    assert known["items"] != stranger["items"]
    assert shop.recommend(**WHO, consent=False)["items"] == stranger["items"]
    assert shop.recommend(**WHO, consent=True)["items"] == known["items"]
    events = [{"event_id": "e1", "event_type": "view_item", "item_id": "bread1"}]
    page = {"surface": "product", "item_ids": ["bread2"]}
    for more in ({"events": events}, page):
        assert shop.recommend(**WHO, consent=False, **more)["items"] == shop.recommend(**more)["items"]
        assert shop.recommend(**WHO, consent=False, **more)["items"] != stranger["items"]


def test_an_event_that_is_stored_counts_where_the_store_is_not_read(shop: Shop) -> None:
    events = [{"event_id": f"e{number}", **bought(f"cheese{number}")} for number in range(3)]
    before = shop.recommend(**WHO, consent=False, events=events)["items"]
    shop.send(*events)
    assert shop.recommend(**WHO, consent=False, events=events)["items"] == before
    assert before[0]["item_id"].startswith("cheese")


def test_nothing_is_kept_of_the_user(pipeline: Pipeline, tmp_path: Path) -> None:
    with EventStore.open(tmp_path / "events.db") as store:
        service = Service(pipeline, store, max_events_kept=100, user_state_mb=8, user_state_seconds=300)
        bought_now = [LiveEvent(event_type="purchase", item_id="fruit1")]
        service.recommend(RecommendRequest(user_id="ann", consent=False, events=bought_now))
        assert set(service.kept().values()) == {0}
        service.recommend(RecommendRequest(user_id="ann"))
        assert service.kept()["user_states"] == service.kept()["histories"] == 1
        assert store.num_events("ann") == 0


def test_pages_and_orders_know_it_too(shop: Shop) -> None:
    shop.send(*(bought(f"cheese{number}") for number in range(3)))

    def answers(path: str, **more: object) -> object:
        found = shop.call("POST", path, json=more).json()
        return [one["items"] for one in found["slots"]] if "slots" in found else found["items"]

    page, order = {"slots": [{}, {"num_results": 3}]}, {"item_ids": ["fruit1", "cheese1", "bread1"]}
    for path, body in (("/v1/page", page), ("/v1/rank", order)):
        assert answers(path, **body, **WHO, consent=False) == answers(path, **body)
        assert answers(path, **body, **WHO) != answers(path, **body)
