"""Merge at login, consent, and deletion that leaves nothing behind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from http_shop import Shop, bought, problem

from features.core.ids import user_key
from serving.recommend.pipeline import Pipeline
from serving.state.event_transfer import export_events
from serving.state.store_location import StoreLocation, open_store

VIEW = {"event_type": "view_item", "visitor_id": "v-secret", "item_id": "cheese1"}


def files_with(text: bytes, folder: Path) -> list[str]:
    found = []
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # it was replaced just now
            found += [path.name] if path.is_file() and text in path.read_bytes() else []
    return found


def put(shop: Shop, user_id: str, **fields: Any) -> dict[str, Any]:
    response = shop.call("PUT", f"/v1/users/{user_id}", json=fields)
    assert response.status_code == 200, response.text
    return dict(response.json())


def events_of(shop: Shop, user_id: str) -> list[str]:
    return [event["item_id"] for event in shop.call("GET", f"/v1/users/{user_id}").json()["events"]]


def first(shop: Shop, **who: str) -> str:
    return str(shop.recommend(**who, num_results=1, surface="home")["items"][0]["item_id"])


@pytest.fixture
def shop(pipeline: Pipeline, location: StoreLocation) -> Iterator[Shop]:
    """On each kind of store."""
    with open_store(location) as store:
        yield Shop(pipeline, store)


@pytest.fixture
def second(location: StoreLocation, pipeline: Pipeline) -> Iterator[Shop]:
    """Another replica."""
    with open_store(location) as store:
        yield Shop(pipeline, store)


def test_a_visitors_views_count_at_once_after_login(shop: Shop, second: Shop) -> None:
    shop.send({**bought("cheese1"), "user_id": None, "visitor_id": "v-81"}, VIEW)
    shop.send({"event_type": "search", "visitor_id": "v-81", "search_term": "brie"})
    for replica in (shop, second):  # both have cached both
        assert first(replica, visitor_id="v-81") == "cheese1"
        assert first(replica, user_id="ann") != "cheese1"
    answer = shop.call("POST", "/v1/users/merge", json={"visitor_id": "v-81", "user_id": "ann"})
    assert answer.json() == {"user_id": "ann", "events": 2}
    for replica in (shop, second):
        assert first(replica, user_id="ann") == "cheese1"
        assert first(replica, visitor_id="v-81") == first(replica, visitor_id="nobody")
        assert events_of(replica, "ann") == ["cheese1"]
        assert events_of(replica, "visitor:v-81") == []
    again = shop.call("POST", "/v1/users/merge", json={"visitor_id": "v-81", "user_id": "ann"})
    assert again.json() == {"user_id": "ann", "events": 0}, "a retry changes nothing"


def test_events_after_a_merge_and_after_a_restart(
    shop: Shop, pipeline: Pipeline, location: StoreLocation
) -> None:
    shop.send(bought("bread1", user_id="ann"), {**bought("cheese1"), "user_id": None, "visitor_id": "v-81"})
    shop.recommend(user_id="ann")
    shop.call("POST", "/v1/users/merge", json={"visitor_id": "v-81", "user_id": "ann"})
    shop.send(bought("fruit7", user_id="ann"))
    found = {item["item_id"] for item in shop.recommend(user_id="ann", num_results=3)["items"]}
    with open_store(location) as store:
        again = Shop(pipeline, store).recommend(user_id="ann", num_results=3)
    assert found == {item["item_id"] for item in again["items"]} == {"bread1", "cheese1", "fruit7"}


def test_a_deleted_user_is_in_no_byte_of_the_store(
    shop: Shop, second: Shop, location: StoreLocation, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    shop.send(*({**bought(f"cheese{number}"), "user_id": "ann-secret"} for number in range(5)))
    shop.send({**VIEW, "user_id": "ann-secret"}, VIEW, bought("bread1", user_id="bob"))
    shop.send({"event_type": "search", "user_id": "ann-secret", "search_term": "brie secret"})
    put(shop, "ann-secret", attributes={"region": "secret"})
    assert first(second, user_id="ann-secret").startswith("cheese")
    answer = shop.call("DELETE", "/v1/users/ann-secret")
    assert (answer.status_code, answer.json()["status"]) == (200, "deleted")
    for replica in (shop, second):
        assert events_of(replica, "ann-secret") == []
        assert events_of(replica, "visitor:v-secret") == [], "the same device"
        assert first(replica, user_id="ann-secret") == first(replica)
        assert events_of(replica, "bob") == ["bread1"]
    folder = tmp_path if isinstance(location, Path) else request.getfixturevalue("redis_server").folder
    until = time.monotonic() + 10  # Redis rewrites its file beside its work
    while (found := files_with(b"secret", folder)) and time.monotonic() < until:
        time.sleep(0.05)
    assert found == []
    export_events(location, tmp_path / "export")
    shop.send({**bought("fruit1"), "user_id": "ann-secret"})
    assert events_of(shop, "ann-secret") == ["fruit1"], "who comes back is a new customer"


def test_without_consent_nothing_is_stored(shop: Shop) -> None:
    shop.send(bought("cheese1"))
    assert put(shop, "ann", consent=False)["consent"] is False
    assert events_of(shop, "ann") == []
    answer = shop.send(bought("cheese2"), bought("bread1", user_id="bob"))
    assert (answer["accepted"], answer["rejected"][0]["field"]) == (1, "user_id")
    assert "consented" in answer["rejected"][0]["message"]
    rejected = shop.send(bought("cheese2"), {"event_type": "nonsense"}, bought("bread2"))["rejected"]
    assert [one["index"] for one in rejected] == [0, 1, 2], "in the order in which they were sent"
    assert put(shop, "ann", attributes={"tier": "gold"})["attributes"] == {}
    shop.send({**VIEW, "visitor_id": "v-9"})
    shop.call("POST", "/v1/users/merge", json={"visitor_id": "v-9", "user_id": "ann"})
    assert events_of(shop, "visitor:v-9") == events_of(shop, "ann") == []
    with_events = shop.recommend(user_id="ann", events=[{"event_type": "purchase", "item_id": "cheese3"}])
    assert with_events["items"][0]["item_id"] == "cheese3", "answered from the request alone"
    body = {"user_id": "ann", "events": [{"event_type": "purchase", "item_id": "cheese3"}], "record": True}
    refused = problem(shop.call("POST", "/v1/recommend", json=body), 422)
    assert refused["errors"][0]["field"] == "record"
    assert events_of(shop, "ann") == []
    assert put(shop, "ann", consent=True)["consent"] is None
    assert shop.send(bought("cheese2"))["accepted"] == 1


def test_a_deletion_does_not_take_a_refusal_back(shop: Shop) -> None:
    put(shop, "ann", consent=False)
    shop.call("DELETE", "/v1/users/ann")
    assert shop.send(bought("cheese1"))["accepted"] == 0
    put(shop, "ann", consent=True)
    assert shop.send(bought("cheese1"))["accepted"] == 1


def test_attributes_are_kept_until_there_are_others(shop: Shop) -> None:
    assert put(shop, "ann", attributes={"tier": "gold"})["attributes"] == {"tier": "gold"}
    assert put(shop, "ann", consent=True)["attributes"] == {"tier": "gold"}
    assert shop.call("GET", "/v1/users/ann").json()["attributes"] == {"tier": "gold"}
    assert put(shop, "ann", attributes={})["attributes"] == {}
    long = shop.call("PUT", "/v1/users/ann", json={"attributes": {"note": "x" * 10_001}})
    assert problem(long, 422)["errors"][0]["field"] == "attributes"


@pytest.mark.parametrize("body", [{"visitor_id": "v"}, {"visitor_id": " ", "user_id": "u"}, {"a": 1}])
def test_a_merge_needs_both_ids(shop: Shop, body: dict[str, Any]) -> None:
    problem(shop.call("POST", "/v1/users/merge", json=body), 422)


def test_a_replica_that_missed_changes_drops_all_that_it_has_cached(
    shop: Shop, location: StoreLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.state.protocol.MAX_USER_CHANGES", 2)
    items = {"cheese1": 0}
    shop.send({**bought("cheese1"), "user_id": None, "visitor_id": "v-1"})
    visitor = user_key(user_id=None, visitor_id="v-1") or ""
    with open_store(location) as store:
        assert len(store.history(visitor, items, limit=5)) == 1
        for number in range(1, 6):
            asyncio.run(shop.store.users.merge(f"v-{number}", "ann"))
        assert len(store.history(visitor, items, limit=5)) == 0


@pytest.mark.parametrize("consent", [0, 0.0, "no", "false"])
def test_consent_is_true_or_false_and_nothing_like_it(shop: Shop, consent: Any) -> None:
    shop.send(bought("cheese1"))
    problem(shop.call("PUT", "/v1/users/ann", json={"consent": consent}), 422)
    assert events_of(shop, "ann") == ["cheese1"]


def test_a_profile_says_what_the_events_say(shop: Shop) -> None:
    order = {"event_type": "purchase", "user_id": "ann", "transaction_id": "t1"}
    shop.send(
        {**order, "items": [{"item_id": "bread1", "price": 1.0}, {"item_id": "bread2", "price": 4.0}]},
        {**order, "transaction_id": "t2", "item_id": "cheese3", "price": 2.0},
        {"event_type": "refund", "user_id": "ann", "item_id": "cheese3", "transaction_id": "t2"},
        {"event_type": "add_to_cart", "user_id": "ann", "item_id": "fruit5"},
    )
    profile = shop.call("GET", "/v1/users/ann").json()["profile"]
    assert (profile["num_targets"], profile["num_items"], profile["num_baskets"]) == (2, 2, 1)
    assert profile["typical_price"] == pytest.approx(2.0)
    assert profile["categories"] == [{"product_type": "Food > Bread", "share": 1.0}]
    assert profile["cart_item_ids"] == ["fruit5"]
    assert profile["latest"].startswith("2023-11-15T")
    nobody = shop.call("GET", "/v1/users/nobody").json()["profile"]
    assert (nobody["num_targets"], nobody["latest"], nobody["typical_price"]) == (0, None, None)
    assert (profile["life_stage"], nobody["life_stage"]) == ("new", "no order")
    assert nobody["categories"] == nobody["cart_item_ids"] == []
