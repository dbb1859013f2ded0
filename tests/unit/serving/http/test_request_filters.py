"""What a request may leave out: by a condition over the catalogue, and by what the user did lately."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
from http_shop import NOW, Shop, bought, problem

from serving.recommend.pipeline import Pipeline
from serving.state.store import EventStore

DAY = 86_400


def ids(shop: Shop, **body: object) -> list[str]:
    return [item["item_id"] for item in shop.recommend(user_id="ann", **body)["items"]]


def test_a_filter_is_a_condition_over_the_catalogue(shop: Shop) -> None:
    shop.send(bought("fruit1"), bought("fruit2"))
    found = ids(shop, filter="product_type like '%Bread' and price between 2.15 and 2.45")
    assert sorted(found) == ["bread2", "bread3", "bread4"]
    assert set(ids(shop, filter="title in ('Cheese1', 'Fruit3')", num_results=2)) == {"cheese1", "fruit3"}


def test_a_list_is_full_where_enough_items_fulfil_the_filter(shop: Shop) -> None:
    shop.send(bought("fruit1"))
    answer = shop.recommend(user_id="ann", filter="product_type like '%Cheese'", num_results=10)
    assert answer["returned"] == 10
    assert answer["shortfall_reason"] is None
    assert answer["fallback_used"] is None, "the encoder looked deeper"
    short = shop.recommend(user_id="ann", filter="product_type like '%Cheese'", num_results=11)
    assert short["returned"] == 10
    assert short["shortfall_reason"] == "the catalogue has no more items that may be shown"
    assert shop.recommend(filter="title = 'Bread3'")["items"][0]["item_id"] == "bread3", "for a stranger, too"


def test_a_filter_that_nothing_fulfils_says_so(shop: Shop) -> None:
    answer = shop.recommend(user_id="ann", filter="price > 1000")
    assert answer["items"] == []
    assert answer["shortfall_reason"] == "the catalogue has no more items that may be shown"


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("colour = 'red'", "which is none of those that it may name: id, title"),
        ("price >", "cannot be read"),
        ("1 = 1", "compares no column with a value"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_could_stand_there(
    shop: Shop, condition: str, said: str
) -> None:
    details = problem(shop.call("POST", "/v1/recommend", json={"filter": condition}), 422)
    assert details["errors"][0]["field"] == "filter"
    assert said in details["errors"][0]["message"]


def test_what_was_purchased_or_viewed_lately_is_left_out(shop: Shop) -> None:
    def days_ago(days: float) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(NOW / 1e6 - days * DAY))

    shop.send(
        bought("fruit1", timestamp=days_ago(3)),
        bought("fruit2", timestamp=days_ago(40)),
        {"event_type": "view_item", "user_id": "ann", "item_id": "bread1", "timestamp": days_ago(1)},
    )
    everything = set(ids(shop, num_results=30))
    assert {"fruit1", "fruit2", "bread1"} <= everything
    assert everything - set(ids(shop, num_results=30, exclude_purchased_days=30)) == {"fruit1"}
    assert everything - set(ids(shop, num_results=30, exclude_purchased_days=41)) == {"fruit1", "fruit2"}
    assert everything - set(ids(shop, num_results=30, exclude_viewed_days=2)) == {"bread1"}
    assert everything - set(ids(shop, num_results=30, exclude_viewed_days=0.5)) == set()
    seen_now = [{"event_type": "purchase", "item_id": "cheese1"}]
    assert "cheese1" not in ids(shop, num_results=30, exclude_purchased_days=1, events=seen_now)
    bad = shop.call("POST", "/v1/recommend", json={"exclude_purchased_days": -1})
    assert problem(bad, 422)["errors"][0]["field"] == "exclude_purchased_days"


def test_what_lies_in_the_cart_is_left_out_where_the_request_says_so(shop: Shop) -> None:
    shop.send(bought("fruit1"), bought("fruit2"), {**bought("fruit1"), "event_type": "add_to_cart"})
    assert "fruit1" not in ids(shop, num_results=30), "the surface's filters say so"
    assert "fruit1" in ids(shop, num_results=30, exclude_cart=False)
    assert "fruit1" not in ids(shop, num_results=30, exclude_cart=True)


def test_a_surface_without_the_filter_leaves_the_cart_out_on_request(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    home = pipeline.bundle.surfaces["home"].model_copy(update={"filters": ()})
    settings = pipeline.bundle.settings.model_copy(
        update={"surfaces": {**pipeline.bundle.surfaces, "home": home}}
    )
    with EventStore.open(tmp_path / "bare.db") as store:
        shop = Shop(Pipeline(replace(pipeline.bundle, settings=settings)), store)
        shop.send(bought("fruit1"), {**bought("fruit3"), "event_type": "add_to_cart"})
        assert "fruit3" in ids(shop, num_results=30)
        assert "fruit3" not in ids(shop, num_results=30, exclude_cart=True)
        added = [{"event_type": "add_to_cart", "item_id": "fruit5"}]
        assert "fruit5" not in ids(shop, num_results=30, exclude_cart=True, events=added)


def test_a_request_may_ask_for_diversity(shop: Shop) -> None:
    shop.send(bought("fruit1"), bought("fruit2"))
    as_ever, diverse = ids(shop, num_results=10), ids(shop, num_results=10, diversity=0.9)
    assert ids(shop, num_results=10, diversity=0) == as_ever
    assert len({item[:-1] for item in diverse}) == 3
    for value in (-0.1, 1.1, "much"):
        bad = shop.call("POST", "/v1/recommend", json={"diversity": value})
        assert problem(bad, 422)["errors"][0]["field"] == "diversity"


def test_a_filter_and_a_field_that_are_both_wrong_are_both_named(shop: Shop) -> None:
    body = {"filter": "prize > 3", "return_fields": ["titel"]}
    details = problem(shop.call("POST", "/v1/recommend", json=body), 422)
    assert [error["field"] for error in details["errors"]] == ["return_fields", "filter"]
    assert "titel" in details["detail"]
    assert "prize" in details["detail"]
