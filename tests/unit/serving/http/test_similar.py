"""What could stand in for the product of the page: also for one that nobody has touched, and that one for
others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hand_made_bundle import write_bundle
from http_shop import Shop, bought

from serving.recommend.pipeline import Pipeline
from serving.state.store import EventStore

AGED = {"title": "Aged cheese", "product_type": "Food > Cheese", "brand": "Acme", "price": 2.5}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    pipeline = Pipeline.load(write_bundle(tmp_path / "bundle"))
    with EventStore.open(tmp_path / "events.db") as store:
        yield Shop(pipeline, store)


def put(shop: Shop, item_id: str, **fields: Any) -> None:
    response = shop.call("PUT", f"/v1/items/{item_id}", json=fields)
    assert response.status_code == 200, response.text


def similar(shop: Shop, *page: str, **body: Any) -> list[str]:
    answer = shop.recommend(surface="similar", item_ids=page, **body)
    return [item["item_id"] for item in answer["items"]]


def test_the_most_similar_come_first_each_with_the_reason(shop: Shop) -> None:
    answer = shop.recommend(surface="similar", item_ids=["fruit1"], user_id="ann")
    assert [item["item_id"] for item in answer["items"]] == ["fruit5", "fruit6", "fruit7"]
    assert answer["items"][0]["reasons"] == [
        {"code": "similar", "text": "Similar to Fruit1", "item_id": "fruit1"}
    ]
    scores = [item["score"] for item in answer["items"]]
    assert scores == sorted(scores, reverse=True)
    assert answer["fallback_used"] is None
    assert answer["shortfall_reason"]


def test_only_the_page_counts_neither_the_cart_nor_what_was_just_viewed(shop: Shop) -> None:
    shop.send(
        bought("bread1"),
        {"event_type": "view_item", "user_id": "ann", "item_id": "cheese1"},
        {"event_type": "add_to_cart", "user_id": "ann", "item_id": "fruit6"},
    )
    assert similar(shop, "fruit1", user_id="ann") == ["fruit5", "fruit7"], "fruit6 lies in the cart"
    for_visit = similar(shop, user_id="ann")
    assert {item[:-1] for item in for_visit} == {"cheese", "fruit"}, "without a page, what was just looked at"
    assert similar(shop) == []


def test_what_is_sold_out_stands_in_for_nothing(shop: Shop) -> None:
    put(shop, "fruit5", availability="out_of_stock")
    assert similar(shop, "fruit1") == ["fruit6", "fruit7"]
    assert similar(shop, "fruit5"), "its own page shows what could be bought in its place"


def test_a_new_product_has_similar_ones_and_is_similar_to_them(shop: Shop) -> None:
    put(shop, "aged", **AGED)
    found = similar(shop, "aged")
    assert len(found) == 10
    assert {item[:6] for item in found} == {"cheese"}
    assert all("aged" in similar(shop, item) for item in found)
    assert "aged" not in similar(shop, "fruit1")
    answer = shop.recommend(surface="similar", item_ids=["cheese3"])
    (aged,) = (item for item in answer["items"] if item["item_id"] == "aged")
    assert aged["reasons"][0]["text"] == "Similar to Cheese3"


def test_a_later_new_product_is_similar_to_an_earlier_one(shop: Shop) -> None:
    put(shop, "lamp", title="Desk lamp", product_type="Light > Lamps")
    assert similar(shop, "lamp") == []
    put(shop, "lamp-2", title="Floor lamp", product_type="Light > Lamps", brand="Acme")
    assert "lamp" not in similar(shop, "lamp-2"), "its words are in no item that the bundle knows"
    put(shop, "blue-1", title="Fruit0 Bread0 Cheese0", product_type="Food > Bread")
    put(shop, "blue-2", title="Fruit0 Bread0 Cheese0", product_type="Food > Bread")
    assert similar(shop, "blue-2")[0] == "blue-1"
    assert "blue-2" in similar(shop, "blue-1")


def test_neither_itself_nor_a_variant_of_it(shop: Shop) -> None:
    put(shop, "aged-s", **AGED, item_group_id="aged")
    put(shop, "aged-l", **AGED, item_group_id="aged")
    assert not {"aged-s", "aged-l"} & set(similar(shop, "aged-s"))
    assert not {"aged-s", "aged-l"} & set(similar(shop, "aged-l"))
    assert {"aged-s", "aged-l"} <= set(similar(shop, "cheese1"))


@pytest.mark.parametrize("title", ["?!", "<b></b>", "&nbsp;", "\u200b"])
def test_a_new_product_without_any_text_is_similar_to_nothing(shop: Shop, title: str) -> None:
    put(shop, "odd", title=title)
    assert similar(shop, "odd") == []
    answer = shop.recommend(user_id="ann", num_results=40)
    assert "odd" in [item["item_id"] for item in answer["items"]]


def test_markup_in_a_title_is_no_text(shop: Shop) -> None:
    put(shop, "odd", title="<p class='cheese3'>Bread3</p>")
    assert similar(shop, "odd") == ["bread3"]


def test_several_products_on_the_page_are_all_left_out(shop: Shop) -> None:
    found = similar(shop, "fruit1", "fruit2")
    assert set(found) == {"fruit5", "fruit6", "fruit7", "fruit8"}
    assert set(found[:2]) <= {"fruit6", "fruit7", "fruit5"}


def test_one_page_call_shows_no_product_twice(shop: Shop) -> None:
    slots = [
        {"surface": name, "item_ids": ["fruit1"], "num_results": 4} for name in ("product", "similar", "home")
    ]
    response = shop.call("POST", "/v1/page", json={"slots": slots, "user_id": "ann"})
    shown = [item["item_id"] for slot in response.json()["slots"] for item in slot["items"]]
    assert len(shown) == len(set(shown)) > 8
    assert "fruit1" not in shown
