"""The surfaces of what is hot, new, cheap and liked by people like the caller."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hand_made_bundle import ITEM_IDS, NUM_ITEMS, write_bundle
from http_shop import NOW, Shop, bought, problem
from scipy import sparse

from features.profiles.user_groups import attribute_keys, context_keys
from features.retriever import Retriever
from features.retrievers.deals import Deals
from features.retrievers.new_arrivals import NewArrivals
from features.retrievers.popular_among import PopularAmong
from features.retrievers.trending import Trending
from serving.http.schemas import RecommendRequest
from serving.http.service import Service
from serving.recommend.bundle import Bundle
from serving.recommend.pipeline import Pipeline
from serving.state.store import EventStore

FRUIT, BREAD, CHEESE = slice(0, 10), slice(10, 20), slice(20, 30)
NEW_ITEMS = ("bread7", "cheese9")


def number(item_id: str) -> int:
    return ITEM_IDS.index(item_id)


def hot_retrievers() -> dict[str, Retriever]:
    """Trending: cheese3, then bread2, then fruit5. New: `NEW_ITEMS`. Reduced: bread1 by a half, fruit1 by
    a tenth. In Austria and among those with attribute 1, ten people bought cheese8."""
    rise, age = np.zeros(NUM_ITEMS, np.float32), np.full(NUM_ITEMS, np.inf, np.float32)
    rise[[number("cheese3"), number("bread2"), number("fruit5")]] = 3, 2, 1.5
    age[[number(item) for item in NEW_ITEMS]] = 5, 2
    price, sale_price = np.full(NUM_ITEMS, 10.0), np.zeros(NUM_ITEMS)
    sale_price[[number("bread1"), number("fruit1")]] = 5, 9
    had = np.zeros((2, NUM_ITEMS), np.float32)
    had[:, number("cheese8")] = 10
    keys = np.array([*context_keys({"country": "AT"}), *attribute_keys(np.array([1], np.int32))], np.uint64)
    found = (
        Trending(rise=rise),
        NewArrivals(age_days=age, is_proven=np.zeros(NUM_ITEMS, bool)),
        Deals(price=price, sale_price=sale_price),
        PopularAmong(
            recent=np.linspace(50, 10, NUM_ITEMS, dtype=np.float32),
            share=np.linspace(0.05, 0.01, NUM_ITEMS, dtype=np.float32),
            groups=np.sort(keys),
            num_people=np.full(2, 10, np.float32),
            had=sparse.csr_array(had),
        ),
    )
    return {one.name: one for one in found}


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """One of its own: items change in it."""
    made = Bundle.open(write_bundle(tmp_path / "bundle"))
    stage = pl.Series("stage", ["growth"] * 10 + ["mature"] * 10 + ["decline"] * 9 + [None])
    users = pl.DataFrame({"user_id": ["anna"], "attribute_0": [1]})
    return replace(
        made,
        retrievers={**made.retrievers, **hot_retrievers()},
        catalogue=made.catalogue.with_columns(stage, sale_price=pl.lit(None, pl.Float64)),
        users=users,
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EventStore]:
    with EventStore.open(tmp_path / "events.db") as opened:
        yield opened


@pytest.fixture
def shop(bundle: Bundle, store: EventStore) -> Shop:
    return Shop(Pipeline(bundle), store)


def ids(answer: dict[str, Any]) -> list[str]:
    return [item["item_id"] for item in answer["items"]]


def codes(answer: dict[str, Any]) -> list[str]:
    return [item["reasons"][0]["code"] for item in answer["items"]]


def test_what_trends_most_comes_first_and_nothing_else_fills_the_row(shop: Shop) -> None:
    shop.send(bought("fruit5"), bought("fruit4"))
    for who in ({}, {"user_id": "ann"}):
        answer = shop.recommend(surface="trending", num_results=5, **who)
        assert ids(answer) == ["cheese3", "bread2", "fruit5"]
        assert codes(answer) == ["trending"] * 3
        assert answer["shortfall_reason"]
    bread = shop.recommend(surface="trending", num_results=1, filter="product_type = 'Food > Bread'")
    assert ids(bread) == ["bread2"], "a category has its own trend"
    assert bread["fallback_used"] is None


def test_a_new_product_is_new_at_once_and_nothing_old_fills_the_row(shop: Shop) -> None:
    assert set(ids(shop.recommend(surface="new"))) == set(NEW_ITEMS)
    response = shop.call("PUT", "/v1/items/plum", json={"title": "Plum", "product_type": "Food > Fruit"})
    assert response.json()["status"] == "added"
    answer = shop.recommend(surface="new", return_fields=["stage"])
    assert set(ids(answer)) == {*NEW_ITEMS, "plum"}
    assert set(codes(answer)) == {"new"}
    (plum,) = (item for item in answer["items"] if item["item_id"] == "plum")
    assert plum["fields"] == {"stage": "introduction"}


def test_new_arrivals_stand_in_each_users_order(shop: Shop) -> None:
    shop.send(bought("bread7"), {**bought("cheese9"), "user_id": "bob"})
    found = {user: ids(shop.recommend(surface="new", user_id=user)) for user in ("ann", "bob")}
    assert found == {"ann": ["bread7", "cheese9"], "bob": ["cheese9", "bread7"]}


def test_prices_of_the_live_catalogue_make_and_end_deals(shop: Shop) -> None:
    answer = shop.recommend(surface="deals")
    assert set(ids(answer)) == {"bread1", "fruit1"}
    assert {item["item_id"]: item["reasons"][0]["text"] for item in answer["items"]} == {
        "bread1": "50 % off",
        "fruit1": "10 % off",
    }
    assert answer["fallback_used"] is None
    for item, fields in {
        "cheese4": {"price": 8.0, "sale_price": 2.0},
        "bread1": {"sale_price": None},
        "fruit1": {"sale_price": 11.0},
        "fruit2": {"sale_price": 1.0, "availability": "out_of_stock"},
        "plum": {"title": "Plum", "price": 4.0, "sale_price": 3.0},
    }.items():
        assert shop.call("PUT", f"/v1/items/{item}", json=fields).status_code == 200
    assert set(ids(shop.recommend(surface="deals"))) == {"cheese4", "plum"}


def test_a_kept_user_state_does_not_keep_a_deal_that_ended(bundle: Bundle, store: EventStore) -> None:
    shop = Shop(Pipeline(bundle), store)
    own_prices = replace(bundle, retrievers={**bundle.retrievers, **hot_retrievers()})
    service = Service(
        Pipeline(own_prices),
        store,
        max_events_kept=100,
        user_state_mb=1,
        user_state_seconds=300,
        clock=lambda: NOW,
    )

    def deals() -> set[str]:
        found = service.recommend(RecommendRequest(surface="deals", user_id="ann"))
        return {item.item_id for item in found.items}

    shop.send(bought("fruit1"))
    assert deals() == {"bread1", "fruit1"}
    assert service.kept()["user_states"] == 1
    shop.call("PUT", "/v1/items/fruit1", json={"sale_price": None})
    assert deals() == {"bread1"}


def test_a_strangers_first_list_is_of_their_country_and_says_so(shop: Shop) -> None:
    everybody = shop.recommend(num_results=8)
    austrian = shop.recommend(num_results=8, context={"country": "at", "device": "fridge"})
    assert ids(austrian)[0] == "cheese8"
    assert "cheese8" not in ids(everybody)
    assert codes(austrian)[0] == "popular_among"
    said = "popular_among, popularity: no event of this user is known, only their attributes or the context"
    assert austrian["fallback_used"] == said
    assert ids(shop.recommend(num_results=8, context={"country": "CH"})) == ids(everybody)
    narrowed = shop.recommend(num_results=8, context={"country": "AT"}, filter="price < 3")
    assert set(ids(narrowed)) <= set(ITEM_IDS[:20]), "a condition holds for it, too"


def test_so_is_the_list_of_a_user_with_attributes_until_their_first_event(shop: Shop) -> None:
    assert ids(shop.recommend(user_id="anna"))[0] == "cheese8"
    assert ids(shop.recommend(user_id="anna", consent=False)) == ids(shop.recommend())
    shop.send({**bought("bread3"), "user_id": "anna"})
    answer = shop.recommend(user_id="anna")
    assert ids(answer)[0] == "bread3"
    assert "popular_among" not in {item["source"] for item in answer["items"]}
    assert ids(shop.recommend(user_id="anna", surface="popular"))[0] == "cheese8"


def test_a_list_in_pages_is_of_one_context(shop: Shop) -> None:
    first = shop.recommend(num_results=5, cursor="*", context={"country": "AT"})
    again = {"num_results": 5, "cursor": first["cursor"]}
    second = shop.recommend(**again, context={"country": "AT"})
    assert not set(ids(first)) & set(ids(second))
    problem(shop.call("POST", "/v1/recommend", json={**again, "context": {"country": "CH"}}), 422)


def test_the_stage_is_a_column_for_conditions_and_answers(shop: Shop) -> None:
    shop.send(bought("fruit1"))
    grown = shop.recommend(user_id="ann", num_results=40, filter="stage = 'growth'", return_fields=["stage"])
    assert set(ids(grown)) == set(ITEM_IDS[FRUIT])
    assert {item["fields"]["stage"] for item in grown["items"]} == {"growth"}
    assert ids(shop.recommend(filter="stage is null")) == ["cheese9"]
    promotion = {"name": "clear out", "filter": "stage in ('decline')", "share": 0.5}
    answer = shop.recommend(user_id="ann", num_results=6, promotions=[promotion])
    promoted = {item["item_id"] for item in answer["items"] if item["promotion"]}
    assert len(promoted) == 3
    assert promoted < set(ITEM_IDS[CHEESE])


def test_a_page_with_all_rows_has_no_product_twice(shop: Shop) -> None:
    shop.send(bought("fruit1"))
    rows = ["buy_again", "home", "trending", "new", "deals"]
    slots = [{"surface": surface, "num_results": 4} for surface in rows]
    page = shop.call("POST", "/v1/page", json={"user_id": "ann", "slots": slots}).json()["slots"]
    shown = Counter(item["item_id"] for slot in page for item in slot["items"])
    assert set(shown.values()) == {1}
    assert "bread1" in shown, "the row of deals has what the others left"


def test_exploration_is_reserved_for_new_arrivals_without_numbers(shop: Shop) -> None:
    drawn, lists = Counter[str](), 120
    for _ in range(lists):
        answer = shop.recommend(num_results=10, exploration=0.1)
        (one,) = (item for item in answer["items"] if item["propensity"] is not None)
        drawn[one["item_id"]] += 1
        assert (one["propensity"] > 0.2) == (one["item_id"] in NEW_ITEMS), "each of two, of four in five"
    assert sum(drawn[item] for item in NEW_ITEMS) / lists == pytest.approx(0.8, abs=0.15)
    assert len(drawn) > len(NEW_ITEMS), "others are drawn, too"
    usual = shop.recommend(num_results=10)["items"]
    assert {item["propensity"] for item in usual} == {None}, "home asks for none"
