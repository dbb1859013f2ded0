"""Promotions and exploration: places of a list that are given away."""

from __future__ import annotations

import json
import logging
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from http_shop import Shop, bought, problem

from serving.deploy.json_log import LogSettings, log_to_file
from serving.recommend.exploration import seed_of

CHEESE = {"name": "cheese weeks", "filter": "product_type like '%Cheese'", "share": 0.3}


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """Ann buys fruit."""
    shop.send(bought("fruit1"), bought("fruit2"))
    return shop


def ids(answer: dict[str, Any]) -> list[str]:
    return [item["item_id"] for item in answer["items"]]


def placed(answer: dict[str, Any], name: str) -> list[int]:
    return [item["rank"] for item in answer["items"] if item["promotion"] == name]


def test_a_promotion_gets_its_share_of_the_places_evenly(shop: Shop) -> None:
    plain = shop.recommend(user_id="ann", num_results=10)
    assert [item for item in ids(plain) if item.startswith("cheese")] == []
    answer = shop.recommend(user_id="ann", num_results=10, promotions=[CHEESE])
    ranks = placed(answer, "cheese weeks")
    assert len(ranks) == 3
    assert max(later - earlier for earlier, later in pairwise(ranks)) <= 4
    assert all(ids(answer)[rank - 1].startswith("cheese") for rank in ranks)
    others = [item["item_id"] for item in answer["items"] if item["promotion"] is None]
    assert others == ids(plain)[:7], "the list stays what it is between them"
    assert all(item["reasons"] for item in answer["items"])
    assert answer["returned"] == 10


def test_the_best_of_it_for_the_user_is_promoted(shop: Shop) -> None:
    shop.send(bought("cheese7", user_id="bea"), bought("cheese8", user_id="bea"))
    best = shop.recommend(user_id="bea", num_results=2, filter=CHEESE["filter"])
    promoted = shop.recommend(
        user_id="bea", num_results=10, promotions=[{**CHEESE, "share": 0.2}], diversity=0.5
    )
    found = [item["item_id"] for item in promoted["items"] if item["promotion"]]
    assert found == ids(best)


def test_filters_hold_and_what_is_missing_is_not_filled(shop: Shop) -> None:
    answer = shop.recommend(
        user_id="ann",
        num_results=10,
        exclude_item_ids=["cheese3"],
        promotions=[{"name": "few", "filter": "title in ('Cheese3', 'Cheese4')", "share": 0.5}],
    )
    assert [ids(answer)[rank - 1] for rank in placed(answer, "few")] == ["cheese4"]
    assert len(set(ids(answer))) == 10
    nothing = [{"name": "none", "filter": "price > 1000", "share": 1}]
    assert ids(shop.recommend(user_id="ann", promotions=nothing)) == ids(shop.recommend(user_id="ann"))


def test_promotions_share_a_list_and_earlier_ones_choose_first(shop: Shop) -> None:
    everything = {"name": "all", "filter": "price > 0", "share": 0.7}
    answer = shop.recommend(user_id="ann", num_results=10, promotions=[CHEESE, everything])
    assert (len(placed(answer, "cheese weeks")), len(placed(answer, "all"))) == (3, 7)
    assert len(set(ids(answer))) == 10
    stranger = shop.recommend(num_results=10, promotions=[CHEESE])
    assert len(placed(stranger, "cheese weeks")) == 3, "for somebody of whom nothing is known, too"


@pytest.mark.parametrize(
    ("promotions", "more", "field", "said"),
    [
        ([{**CHEESE, "filter": "colour = 'red'"}], {}, "promotions.0.filter", "may name"),
        ([CHEESE, CHEESE], {}, "promotions", "'cheese weeks' is there twice"),
        ([CHEESE, {**CHEESE, "name": "b", "share": 0.8}], {}, "promotions", "add up to 1.1"),
        ([{**CHEESE, "share": 0.8}], {"exploration": 0.3}, "promotions", "and exploration add up to 1.1"),
        ([{**CHEESE, "share": 1.5}], {}, "promotions.0.share", "less than or equal to 1"),
        ([CHEESE] * 11, {}, "promotions", "at most 10"),
        ([], {"exploration": 2}, "exploration", "less than or equal to 1"),
    ],
)
def test_what_is_wrong_is_named(
    shop: Shop, promotions: list[Any], more: dict[str, Any], field: str, said: str
) -> None:
    for only in ({}, {"validate_only": True}):
        body = {"promotions": promotions, **more, **only}
        details = problem(shop.call("POST", "/v1/recommend", json=body), 422)
        assert details["errors"][0]["field"] == field
        assert said in details["errors"][0]["message"]


def test_some_places_are_drawn_and_their_propensities_said(shop: Shop, tmp_path: Path) -> None:
    log_to_file(LogSettings(tmp_path / "serve.jsonl", with_user_ids=False, slow_seconds=1))
    try:
        answer = shop.recommend(user_id="ann", num_results=10, exploration=0.2)
        shop.recommend(user_id="ann", num_results=10, exploration=0.2, consent=False)
        shop.recommend(user_id="ann", num_results=10)
    finally:
        logging.getLogger("shopkeeper").handlers.clear()
    drawn = [item for item in answer["items"] if item["source"] == "exploration"]
    assert len(drawn) == 2
    assert all(item["rank"] > 1 and 0 < item["propensity"] < 1 for item in drawn)
    assert all(item["propensity"] is None for item in answer["items"] if item not in drawn)
    assert drawn[0]["reasons"][0]["code"] == "exploration"
    plain = ids(shop.recommend(user_id="ann", num_results=8))
    assert [item["item_id"] for item in answer["items"] if item not in drawn] == plain
    (line,) = [json.loads(line) for line in (tmp_path / "serve.jsonl").read_text().splitlines()]
    assert line["recommendation_id"] == answer["recommendation_id"]
    assert line["bundle_version"] == answer["bundle"]["version"]
    assert line["seed"] == seed_of(answer["recommendation_id"])
    assert line["items"] == [
        {name: item[name] for name in ("item_id", "rank", "propensity")} for item in drawn
    ]
    assert "ann" not in json.dumps(line)


def test_exploration_never_takes_the_first_place_and_other_filters_hold(shop: Shop) -> None:
    seen = set()
    best = ids(shop.recommend(user_id="ann", num_results=1))[0]
    for _ in range(20):
        answer = shop.recommend(
            user_id="ann", num_results=5, exploration=1, filter="not product_type like '%Bread'"
        )
        assert ids(answer)[0] == best
        assert [item["source"] for item in answer["items"][1:]] == ["exploration"] * 4
        assert len(set(ids(answer))) == 5
        seen |= set(ids(answer))
    assert not any(item.startswith("bread") for item in seen)
    assert any(item.startswith("cheese") for item in seen)


def test_the_trace_counts_places_that_were_given_away(shop: Shop) -> None:
    tenth = ids(shop.recommend(user_id="ann", num_results=10))[-1]
    answer = shop.recommend(
        user_id="ann", num_results=10, promotions=[CHEESE], exploration=0.1, explain_item_ids=[tenth]
    )
    stages = {(one["stage"], one["name"]): one["num_items"] for one in answer["trace"]["stages"]}
    assert stages["promotion", "cheese weeks"] == 3
    assert stages["exploration", None] == 1
    assert stages["fallback", "popularity"] == 0
    (item,) = answer["trace"]["items"]
    if item["stage"] != "list":
        assert item["reason"] == "was ranked 10th, and gave way to what is promoted or what was drawn"


def test_a_page_promotes_in_the_slot_that_says_so(shop: Shop) -> None:
    body = {"user_id": "ann", "slots": [{"num_results": 5}, {"num_results": 10, "promotions": [CHEESE]}]}
    first, second = shop.call("POST", "/v1/page", json=body).json()["slots"]
    assert not any(item["promotion"] for item in first["items"])
    assert len(placed(second, "cheese weeks")) == 3
    assert not set(ids(first)) & set(ids(second))


def test_an_item_that_was_put_a_moment_ago_is_promoted_and_drawn(shop: Shop) -> None:
    """And mixed with others; the next page of a list that began before goes on."""
    first = shop.recommend(user_id="ann", num_results=5, cursor="*")
    tea = {"title": "Tea", "product_type": "Food > Tea", "price": 2.0, "availability": "in_stock"}
    assert shop.call("PUT", "/v1/items/tea1", json=tea).status_code == 200
    new = [{"name": "new", "filter": "title = 'Tea'", "share": 0.2}]
    answer = shop.recommend(user_id="ann", num_results=5, promotions=new, diversity=0.5)
    assert placed(answer, "new"), "it was promoted"
    drawn: set[str] = set()
    for _ in range(40):
        drawn |= set(ids(shop.recommend(user_id="ann", num_results=6, exploration=0.9)))
    assert "tea1" in drawn
    second = shop.recommend(user_id="ann", num_results=5, cursor=first["cursor"])
    assert not set(ids(first)) & set(ids(second))
