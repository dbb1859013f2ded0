"""The live catalogue: what the shop's back end puts or deletes is in the next list, in every process, and
after another bundle."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hand_made_bundle import ITEM_IDS, write_bundle
from http_shop import Shop, bought, problem

from configs.settings.services import ServingConfig
from serving.http.schemas import RecommendRequest
from serving.http.service import Service
from serving.recommend.pipeline import Pipeline
from serving.state.live_events import ExchangeRates
from serving.state.store_location import StoreLocation, open_store

AGED = {"title": "Aged cheese", "product_type": "Food > Cheese", "brand": "Acme", "price": 2.5}


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    """One of its own: items change in it."""
    return Pipeline.load(write_bundle(tmp_path / "bundle"))


@pytest.fixture
def shop(pipeline: Pipeline, location: StoreLocation) -> Iterator[Shop]:
    with open_store(location) as store:
        yield Shop(pipeline, store)


def put(shop: Shop, item_id: str, **fields: Any) -> dict[str, Any]:
    response = shop.call("PUT", f"/v1/items/{item_id}", json=fields)
    assert response.status_code == 200, response.text
    return dict(response.json())


def ids(shop: Shop, **body: Any) -> list[str]:
    return [item["item_id"] for item in shop.recommend(num_results=40, **body)["items"]]


def test_a_new_item_is_recommended_to_those_whom_it_suits(shop: Shop) -> None:
    shop.send(bought("cheese1"), bought("cheese2"))
    assert put(shop, "aged", **AGED) == {"item_id": "aged", "status": "added"}
    answer = shop.recommend(user_id="ann", num_results=40, return_fields=["title", "price"])
    places = {item["item_id"]: item["rank"] for item in answer["items"]}
    assert places["aged"] < places["fruit5"], "it is described as what ann buys"
    (aged,) = (item for item in answer["items"] if item["item_id"] == "aged")
    assert aged["fields"] == {"title": "Aged cheese", "price": 2.5}
    assert aged["source"] == "cold_start"
    assert aged["reasons"][0]["code"] == "similar"
    assert ids(shop, user_id="ann", filter="title = 'Aged cheese'") == ["aged"]
    assert shop.call("GET", "/v1/items/aged").json()["fields"]["price"] == 2.5
    assert [one["item_id"] for one in shop.call("GET", "/v1/items?query=aged").json()["items"]] == ["aged"]


def test_a_stranger_finds_it_last_and_is_told_that_it_is_new(shop: Shop) -> None:
    put(shop, "aged", **AGED)
    answer = shop.recommend(num_results=40)
    assert answer["items"][-1]["item_id"] == "aged"
    assert answer["items"][-1]["reasons"][0] == {"code": "new", "text": "New in the shop", "item_id": None}


def test_its_events_count_at_once_and_those_before_it_too(shop: Shop) -> None:
    shop.send(bought("aged"))
    put(shop, "aged", **AGED)
    assert shop.recommend(user_id="ann")["items"][0]["item_id"] == "aged", "ann's own item"
    shop.send({**bought("aged"), "user_id": "bob"})
    assert shop.recommend(user_id="bob")["items"][0]["item_id"] == "aged"


def test_sold_out_is_gone_at_once_and_comes_back(shop: Shop) -> None:
    shop.send(bought("fruit1"))
    assert "fruit1" in ids(shop, user_id="ann")
    assert put(shop, "fruit1", availability="out_of_stock") == {"item_id": "fruit1", "status": "changed"}
    assert "fruit1" not in ids(shop, user_id="ann")
    put(shop, "fruit1", price=7.0)
    assert "fruit1" not in ids(shop, user_id="ann"), "what is not sent stays as it is"
    put(shop, "fruit1", availability="in_stock")
    assert "fruit1" in ids(shop, user_id="ann")
    assert shop.call("GET", "/v1/items/fruit1").json()["fields"]["price"] == 7.0


def test_filters_and_reasons_see_changes(shop: Shop) -> None:
    shop.send(bought("fruit1"))
    condition = "price > 100"
    assert ids(shop, user_id="ann", filter=condition) == []
    put(shop, "bread4", price=101.0, title="Golden bread")
    put(shop, "bread5", price=102.0)
    assert set(ids(shop, user_id="ann", filter=condition)) == {"bread4", "bread5"}
    put(shop, "bread5", price=None)
    assert ids(shop, user_id="ann", filter=condition) == ["bread4"]
    assert ids(shop, user_id="ann", filter="price is null") == ["bread5"]
    put(shop, "fruit1", title="Plum")
    answer = shop.recommend(user_id="ann", surface="product", item_ids=["fruit1"])
    assert any("Plum" in reason["text"] for item in answer["items"] for reason in item["reasons"])


def test_a_deleted_item_is_nowhere_and_can_be_put_again(shop: Shop) -> None:
    shop.send(bought("fruit1"))
    assert shop.call("DELETE", "/v1/items/fruit1").json() == {"item_id": "fruit1", "status": "deleted"}
    assert "fruit1" not in ids(shop, user_id="ann")
    problem(shop.call("GET", "/v1/items/fruit1"), 404)
    problem(shop.call("DELETE", "/v1/items/fruit1"), 404)
    assert "fruit1" not in shop.call("GET", "/v1/items?query=fruit1").text
    put(shop, "aged", **AGED)
    assert "fruit1" not in ids(shop, user_id="ann"), "nor after a new item"
    assert put(shop, "fruit1", title="Fruit one")["status"] == "added"
    assert "fruit1" in ids(shop, user_id="ann")


def test_many_at_once_are_all_or_none(shop: Shop) -> None:
    body = {"items": [{"id": "a", **AGED}, {"id": "fruit2", "availability": "out_of_stock"}]}
    assert shop.call("POST", "/v1/items", json=body).json() == {
        "items": [{"item_id": "a", "status": "added"}, {"item_id": "fruit2", "status": "changed"}]
    }
    shown = ids(shop)
    assert "a" in shown
    assert "fruit2" not in shown
    bad = {"items": [{"id": "b", "title": "B"}, {"id": "c", "title": "C", "price": -1}]}
    details = problem(shop.call("POST", "/v1/items", json=bad), 422)
    assert details["errors"][0]["field"] == "items.1.price"
    assert "b" not in ids(shop)


def test_a_new_item_needs_a_title_and_can_be_bought(shop: Shop) -> None:
    """A stock feed with a wrong id must not fill the shop with products without a name."""
    details = problem(shop.call("PUT", "/v1/items/tpyo", json={"availability": "in_stock"}), 422)
    assert details["errors"][0]["field"] == "title"
    bad = {"items": [{"id": "fruit1", "price": 3}, {"id": "tpyo", "price": 3}]}
    details = problem(shop.call("POST", "/v1/items", json=bad), 422)
    assert details["errors"][0]["field"] == "items.1.title"
    problem(shop.call("GET", "/v1/items/tpyo"), 404)
    put(shop, "aged", **AGED)
    assert ids(shop, filter="availability = 'in_stock'") == ["aged"]
    twice = [{"id": "new", "title": "New", "availability": "out_of_stock"}, {"id": "new", "price": 4}]
    assert shop.call("POST", "/v1/items", json={"items": twice}).status_code == 200
    fields = shop.call("GET", "/v1/items/new").json()["fields"]
    assert (fields["title"], fields["price"], fields["availability"]) == ("New", 4, "out_of_stock")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"prize": 3}, "prize"),
        ({"availability": "gone"}, "availability"),
        ({"price": "1e400"}, "price"),
        ({"currency": "EUR", "price": 1}, "currency"),
    ],
)
def test_what_is_no_field_of_an_item_is_refused(shop: Shop, fields: dict[str, Any], field: str) -> None:
    details = problem(shop.call("PUT", "/v1/items/fruit1", json=fields), 422)
    assert details["errors"][0]["field"] == field
    assert ("is not a field of this request" in details["detail"]) == (field == "prize")


def test_prices_are_converted_to_the_shops_currency(pipeline: Pipeline, location: StoreLocation) -> None:
    with open_store(location) as store:
        shop = Shop(pipeline, store, ExchangeRates(currency="USD", rates={"EUR": 2.0}))
        put(shop, "fruit1", price=3, currency="EUR")
        fields = shop.call("GET", "/v1/items/fruit1").json()["fields"]
        assert (fields["price"], fields["currency"]) == (6.0, "USD")


def test_no_more_new_items_than_configured(pipeline: Pipeline, location: StoreLocation) -> None:
    with open_store(location) as store:
        shop = Shop(pipeline, store, serving=ServingConfig(max_new_items=1))
        put(shop, "a", **AGED)
        details = problem(shop.call("PUT", "/v1/items/b", json=AGED), 422)
        assert "serving.max_new_items is 1" in details["detail"]
        put(shop, "a", price=3)


def test_every_process_follows_and_a_restart_and_another_bundle_keep_it(
    tmp_path: Path, location: StoreLocation
) -> None:
    """Two services stand for two replicas."""
    folder = write_bundle(tmp_path / "bundle")
    with open_store(location) as ours, open_store(location) as theirs:
        shop = Shop(Pipeline.load(folder), ours)
        other = Service(Pipeline.load(folder), theirs, max_events_kept=100)
        put(shop, "aged", **AGED)
        put(shop, "fruit0", availability="out_of_stock")
        shop.call("DELETE", "/v1/items/fruit2")
        asyncio.run(other.follow_items())
        assert shown(other) == {*ITEM_IDS, "aged"} - {"fruit0", "fruit2"}
        other.use(other.prepare(Pipeline.load(folder)))
        assert shown(other) == {*ITEM_IDS, "aged"} - {"fruit0", "fruit2"}
        restarted = Service(Pipeline.load(folder), theirs, max_events_kept=100)
        assert shown(restarted) == {*ITEM_IDS, "aged"} - {"fruit0", "fruit2"}


def test_a_sold_out_item_is_out_of_the_next_list_of_any_process(
    tmp_path: Path, location: StoreLocation
) -> None:
    """Without waiting for `follow_items`."""
    folder = write_bundle(tmp_path / "bundle")
    with open_store(location) as ours, open_store(location) as theirs:
        shop = Shop(Pipeline.load(folder), ours)
        other = Shop(Pipeline.load(folder), theirs)
        assert "fruit1" in ids(other)
        put(shop, "fruit1", availability="out_of_stock")
        assert "fruit1" not in ids(other)


def shown(service: Service) -> set[str]:
    return {item.item_id for item in service.recommend(RecommendRequest(num_results=100)).items}
