"""Every field of a request has an effect that its sender notices: a request with it, beside one without."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hand_made_bundle import ITEM_IDS
from http_shop import NOW, Shop

from serving.http.item_schemas import Item, ItemFields, ItemsRequest
from serving.http.request_context import RequestContext
from serving.http.schemas import (
    ListRequest,
    PageRequest,
    PromotionRequest,
    RankRequest,
    RecommendRequest,
)
from serving.http.user_schemas import MergeRequest, UserFields
from serving.state.live_events import LiveEvent, LiveItem
from serving.state.store import EventStore

Check = Callable[[Shop], None]
CHEESE = {"event_type": "purchase", "item_id": "cheese3", "event_id": "e1"}
SECOND = 1_000_000


def ids(answer: dict[str, Any]) -> list[str]:
    return [item["item_id"] for item in answer["items"]]


def listed(shop: Shop, **body: Any) -> list[str]:
    return ids(shop.recommend(**{"num_results": 5, **body}))


def stored(shop: Shop, key: str = "ann") -> list[dict[str, Any]]:
    return list(shop.call("GET", f"/v1/users/{key}").json()["events"])


def steers(field: str) -> Check:
    """The history of whom the field names is what the list is made of."""

    def check(shop: Shop) -> None:
        shop.send({**CHEESE, field: "ann"})
        assert listed(shop, **{field: "ann"})[0] == "cheese3"
        assert listed(shop, **{field: "bob"}) == listed(shop)

    return check


def surface(shop: Shop) -> None:
    shop.send({**CHEESE, "user_id": "ann"})
    assert listed(shop, user_id="ann", surface="buy_again") == ["cheese3"]


def item_ids(shop: Shop) -> None:
    assert all(item.startswith("bread") for item in listed(shop, item_ids=["bread1"], surface="product")[:3])


def events(shop: Shop) -> None:
    assert listed(shop, events=[CHEESE])[0] == "cheese3"


def num_results(shop: Shop) -> None:
    assert len(listed(shop, num_results=3)) == 3


def cursor(shop: Shop) -> None:
    first = shop.recommend(num_results=4, cursor="*")
    second = shop.recommend(num_results=4, cursor=first["cursor"])
    assert ids(first) + ids(second) == listed(shop, num_results=8)


def exclude_item_ids(shop: Shop) -> None:
    first = listed(shop)[0]
    assert first not in listed(shop, exclude_item_ids=[first], num_results=30)


def filtered(shop: Shop) -> None:
    assert all(item.startswith("bread") for item in listed(shop, filter="title like 'Bread%'"))


def excluded(field: str, event_type: str) -> Check:
    def check(shop: Shop) -> None:
        shop.send({**CHEESE, "event_type": event_type, "user_id": "ann"})
        everything = {"user_id": "ann", "num_results": 30}
        assert "cheese3" in listed(shop, **everything)
        assert "cheese3" not in listed(shop, **everything, **{field: 1})

    return check


def exclude_cart(shop: Shop) -> None:
    shop.send({**CHEESE, "event_type": "add_to_cart", "user_id": "ann"})
    everything = {"user_id": "ann", "num_results": 30}
    assert "cheese3" not in listed(shop, **everything)
    assert "cheese3" in listed(shop, **everything, exclude_cart=False)


def diversity(shop: Shop) -> None:
    def aisles(**body: Any) -> set[str]:
        return {item[:-1] for item in listed(shop, events=[CHEESE], **body)}

    assert aisles() == {"cheese"}
    assert len(aisles(diversity=1)) == 3


def promotions(shop: Shop) -> None:
    promotion = {"name": "bakery", "filter": "title like 'Bread%'", "share": 0.4}
    answer = shop.recommend(num_results=5, events=[CHEESE], promotions=[promotion])
    assert [item["promotion"] for item in answer["items"]].count("bakery") == 2
    assert sum(item.startswith("bread") for item in ids(answer)) == 2


def exploration(shop: Shop) -> None:
    drawn = [item for item in shop.recommend(num_results=10, exploration=0.5)["items"] if item["propensity"]]
    assert drawn
    assert {item["source"] for item in drawn} == {"exploration"}


def return_fields(shop: Shop) -> None:
    assert shop.recommend(return_fields=["title"])["items"][0]["fields"].keys() == {"title"}


def explain(shop: Shop) -> None:
    assert shop.recommend(explain=True)["trace"]["stages"]
    assert shop.recommend()["trace"] is None


def explain_item_ids(shop: Shop) -> None:
    trace = shop.recommend(explain_item_ids=["bread4"], exclude_item_ids=["bread4"])["trace"]
    assert [item["item_id"] for item in trace["items"]] == ["bread4"]


def context(shop: Shop) -> None:
    shop.recommend(user_id="ann", events=[CHEESE], record=True, context={"channel": "app"})
    assert row(shop)["channel"] == "app"


def record(shop: Shop) -> None:
    shop.recommend(user_id="ann", events=[CHEESE])
    assert not stored(shop)
    assert shop.recommend(user_id="ann", events=[CHEESE], record=True)["recorded"]["accepted"] == 1
    assert len(stored(shop)) == 1


def consent(shop: Shop) -> None:
    shop.send({**CHEESE, "user_id": "ann"})
    assert listed(shop, user_id="ann", consent=False) == listed(shop)


def validate_only(shop: Shop) -> None:
    answer = shop.recommend(validate_only=True, item_ids=["nobody knows it"])
    assert (answer["items"], answer["validated"]) == ([], True)
    assert answer["unknown_item_ids"] == ["nobody knows it"]


def session_id(shop: Shop) -> None:
    shop.recommend(user_id="ann", session_id="s7", events=[CHEESE], record=True)
    assert row(shop)["session_id"] == "s7"


LISTS: dict[str, Check] = {
    "surface": surface,
    "item_ids": item_ids,
    "num_results": num_results,
    "exclude_item_ids": exclude_item_ids,
    "filter": filtered,
    "exclude_purchased_days": excluded("exclude_purchased_days", "purchase"),
    "exclude_viewed_days": excluded("exclude_viewed_days", "view_item"),
    "exclude_cart": exclude_cart,
    "diversity": diversity,
    "promotions": promotions,
    "exploration": exploration,
    "return_fields": return_fields,
    "explain": explain,
    "explain_item_ids": explain_item_ids,
}
WHO: dict[str, Check] = {
    "user_id": steers("user_id"),
    "visitor_id": steers("visitor_id"),
    "session_id": session_id,
    "events": events,
    "consent": consent,
}
REQUESTS: dict[str, Check] = {
    "context": context,
    "record": record,
    "validate_only": validate_only,
    "cursor": cursor,
}
ALL = LISTS | WHO | REQUESTS


def row(shop: Shop) -> dict[str, Any]:
    """The one event of the log, with all its columns."""
    assert isinstance(shop.store, EventStore)
    with closing(sqlite3.connect(f"file:{shop.store.path}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        (found,) = connection.execute("SELECT * FROM events")
        return dict(found)


@pytest.mark.parametrize("field", ALL)
def test_a_field_of_a_list(field: str, shop: Shop) -> None:
    ALL[field](shop)


def test_no_field_of_a_list_is_forgotten() -> None:
    apart = {"user_token"}  # see test_key_guard.py
    assert ALL.keys() == RecommendRequest.model_fields.keys() - apart
    assert LISTS.keys() == ListRequest.model_fields.keys()
    of_pages = {"slots", "order"}  # see test_page.py
    assert (WHO | REQUESTS).keys() - {"cursor"} | of_pages == PageRequest.model_fields.keys() - apart
    assert WHO.keys() | {"item_ids"} == RankRequest.model_fields.keys() - apart


@pytest.mark.parametrize("field", sorted(LISTS.keys() - {"explain", "explain_item_ids"}))
def test_a_field_of_a_slot(field: str, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def in_a_slot(**body: Any) -> dict[str, Any]:
        slot = {name: body.pop(name) for name in list(body) if name in LISTS}
        response = shop.call("POST", "/v1/page", json={"slots": [slot], **body})
        assert response.status_code == 200, response.text
        return dict(response.json()["slots"][0])

    monkeypatch.setattr(shop, "recommend", in_a_slot)
    LISTS[field](shop)


RANKED = WHO.keys() - {"session_id"}


@pytest.mark.parametrize("field", sorted(RANKED))
def test_a_field_of_an_order(field: str, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def in_order(num_results: int, **body: Any) -> dict[str, Any]:
        response = shop.call("POST", "/v1/rank", json={"item_ids": ITEM_IDS, **body})
        assert response.status_code == 200, response.text
        return {"items": response.json()["items"][:num_results]}

    monkeypatch.setattr(shop, "recommend", in_order)
    WHO[field](shop)


EVENT: dict[str, Any] = {
    "event_type": "purchase",
    "event_id": "e1",
    "line": 2,
    "timestamp": datetime.fromtimestamp(NOW / SECOND - 60, UTC).isoformat(),
    "user_id": "ann",
    "visitor_id": "v1",
    "session_id": "s1",
    "item_id": "bread1",
    "quantity": 2.0,
    "price": 3.5,
    "currency": "USD",
    "transaction_id": "t1",
    "coupon": "spring",
    "surface": "home",
    "position": 4,
    "recommendation_id": "r1",
    "search_term": "rye",
    "rating": 4.5,
    "review_text": "crisp",
    "duration_s": 1.5,
    "channel": "app",
    "device": "phone",
    "country": "NL",
    "source": "letter",
    "medium": "email",
    "campaign": "may",
    "attributes": {"a": 1},
}
OF_AN_ITEM = {
    name: EVENT[name] for name in ("item_id", "quantity", "price", "currency", "coupon", "position")
}


def test_every_field_of_an_event_is_stored(shop: Shop) -> None:
    assert EVENT.keys() | {"items"} == LiveEvent.model_fields.keys()
    assert OF_AN_ITEM.keys() == LiveItem.model_fields.keys()
    shop.send(EVENT)
    found = row(shop)
    assert json.loads(found.pop("attributes")) == EVENT["attributes"]
    assert found["timestamp"] == NOW - 60 * SECOND
    same = EVENT.keys() - {"attributes", "timestamp"}
    assert {name: found[name] for name in same} == {name: EVENT[name] for name in same}


def test_every_field_of_an_item_of_an_event_is_stored(shop: Shop) -> None:
    shared = {name: value for name, value in EVENT.items() if name not in OF_AN_ITEM}
    shop.send({**shared, "items": [OF_AN_ITEM]})
    found = row(shop)
    assert {name: found[name] for name in OF_AN_ITEM} == OF_AN_ITEM


def test_every_part_of_a_context_is_stored(shop: Shop) -> None:
    where = {name: EVENT[name] for name in RequestContext.model_fields}
    shop.recommend(user_id="ann", events=[CHEESE], record=True, context={**where, "weather": "rain"})
    found = row(shop)
    assert {name: found[name] for name in where} == where
    assert json.loads(found["attributes"]) == {"weather": "rain"}


def test_every_part_of_a_promotion_counts(shop: Shop) -> None:
    assert PromotionRequest.model_fields.keys() == {"name", "filter", "share"}
    promotions(shop)


ITEM: dict[str, Any] = {
    "title": "Mug",
    "description": "Blue",
    "product_type": "Kitchen > Mugs",
    "brand": "Ada",
    "price": 9.9,
    "sale_price": 8.8,
    "cost_of_goods_sold": 3.0,
    "currency": "USD",
    "availability": "in_stock",
} | {
    name: f"a {name}"
    for name in (
        *("link", "image_link", "item_group_id", "color", "size", "material", "gender", "age_group"),
        *("availability_date", "expiration_date", *(f"custom_label_{number}" for number in range(5))),
    )
}


def test_every_field_of_an_item_is_kept(shop: Shop, tmp_path: Path) -> None:
    """Those whose column the catalogue has are in its answers; the others are in the next tables."""
    assert ITEM.keys() == ItemFields.model_fields.keys() == Item.model_fields.keys() - {"id"}
    assert ItemsRequest.model_fields.keys() == {"items"}
    shop.call("POST", "/v1/items", json={"items": [{"id": "mug", **ITEM}]}).raise_for_status()
    (change,) = shop.store.items.changed(since=0)
    assert change.fields == ITEM
    answer = shop.call("GET", "/v1/items/mug").json()
    shown = {"title", "product_type", "brand", "price", "currency"}
    assert {name: answer["fields"][name] for name in shown} == {name: ITEM[name] for name in shown}


def test_every_field_of_a_user_counts(shop: Shop) -> None:
    assert UserFields.model_fields.keys() == {"attributes", "consent"}
    shop.call("PUT", "/v1/users/ann", json={"attributes": {"tier": "gold"}}).raise_for_status()
    assert shop.call("GET", "/v1/users/ann").json()["attributes"] == {"tier": "gold"}
    shop.send({**CHEESE, "user_id": "ann"})
    shop.call("PUT", "/v1/users/ann", json={"consent": False}).raise_for_status()
    assert not stored(shop)


def test_every_field_of_a_merge_counts(shop: Shop) -> None:
    assert MergeRequest.model_fields.keys() == {"visitor_id", "user_id"}
    shop.send({**CHEESE, "visitor_id": "v1"})
    who = {"visitor_id": "v1", "user_id": "ann"}
    assert shop.call("POST", "/v1/users/merge", json=who).json()["events"] == 1
    assert [event["item_id"] for event in stored(shop)] == ["cheese3"]


def test_every_parameter_of_a_query_counts(shop: Shop) -> None:
    """Those of the pixel are the fields of an event: see test_pixel.py."""
    paths = shop.call("GET", "/openapi.json").json()["paths"]
    named = {
        (path, one["name"])
        for path, methods in paths.items()
        for one in methods.get("get", {}).get("parameters", ())
        if one["in"] == "query" and path != "/v1/events/collect"
    }
    assert named == {
        ("/v1/items", "query"),
        ("/v1/items", "limit"),
        ("/v1/users/{user_id}", "limit"),
        ("/v1/shop/users", "limit"),
    }
    for user in ("ann", "bob", "cy"):
        shop.send(*({**CHEESE, "user_id": user, "event_id": f"{user}{number}"} for number in range(3)))
    assert ids(shop.call("GET", "/v1/items?query=bread1").json()) == ["bread1"]
    assert len(shop.call("GET", "/v1/items?limit=2").json()["items"]) == 2
    assert len(shop.call("GET", "/v1/users/ann?limit=2").json()["events"]) == 2
    assert len(shop.call("GET", "/v1/shop/users?limit=2").json()["users"]) == 2
