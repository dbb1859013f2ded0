"""`explain`: how a list came about, and where single items were lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from http_shop import Shop, bought, problem

from serving.recommend.pipeline import Pipeline
from serving.recommend.stages import ordinal
from serving.state.store import EventStore


def stages(answer: dict[str, Any]) -> dict[tuple[str, str | None], int]:
    return {(one["stage"], one["name"]): one["num_items"] for one in answer["trace"]["stages"]}


def lost(shop: Shop, *item_ids: str, **body: Any) -> dict[str, tuple[str, str]]:
    """Item → (stage, reason)."""
    answer = shop.recommend(user_id="ann", explain_item_ids=list(item_ids), **body)
    return {one["item_id"]: (one["stage"], one["reason"]) for one in answer["trace"]["items"]}


def test_there_is_a_trace_where_the_request_asks_and_the_list_is_the_same(shop: Shop) -> None:
    shop.send(bought("fruit1"))
    plain, explained = shop.recommend(user_id="ann"), shop.recommend(user_id="ann", explain=True)
    assert plain["trace"] is None
    assert explained["items"] == plain["items"]
    assert explained["trace"]["items"] == []


def test_the_numbers_of_the_stages_add_up(shop: Shop) -> None:
    shop.send(bought("fruit1"), bought("fruit2"), {**bought("bread1"), "event_type": "add_to_cart"})
    answer = shop.recommend(user_id="ann", num_results=10, exclude_item_ids=["fruit3"], explain=True)
    found = stages(answer)
    assert found["retriever", "popularity"] == 30
    assert found["retriever", "repurchase"] == 2
    assert found["first_pass", None] == found["ranker", "ranker"] == 30
    assert (found["filter", "cart"], found["filter", "excluded"], found["filter", "viewed"]) == (1, 1, 0)
    assert found["list", None] == answer["returned"] == 10
    searched = stages(
        shop.recommend(user_id="ann", num_results=30, exclude_item_ids=["fruit3"], explain=True)
    )
    assert searched["retriever", "popularity"] == 28, "the search went on among what the filters leave"
    assert searched["list", None] == 28
    short = stages(shop.recommend(user_id="ann", surface="buy_again", explain=True))
    assert short["list", None] == short["first_pass", None] == 2


def test_each_item_has_the_stage_where_it_was_lost_and_why(shop: Shop) -> None:
    shop.send(bought("fruit1"), {**bought("bread1"), "event_type": "add_to_cart"})
    (first, *_) = shop.recommend(user_id="ann", num_results=5)["items"]
    found = lost(
        shop, first["item_id"], "bread1", "cheese1", "cheese2", "nowhere", num_results=5,
        exclude_item_ids=["cheese1"],
    )  # fmt: skip
    assert found[first["item_id"]] == ("list", "is on the list at rank 1")
    assert found["bread1"] == ("filter", "lies in the cart")
    assert found["cheese1"] == ("filter", "was excluded by the request")
    stage, reason = found["cheese2"]
    assert stage == "ranker"
    assert reason.startswith("was ranked ")
    assert reason.endswith(", below the list's 5 places")
    assert found["nowhere"] == ("catalogue", "is not in the catalogue")
    answer = shop.recommend(user_id="ann", explain_item_ids=["nowhere"])
    assert answer["unknown_item_ids"] == ["nowhere"]


def test_what_no_retriever_proposes_and_what_the_first_pass_drops(
    pipeline: Pipeline, shop: Shop, tmp_path: Path
) -> None:
    shop.send(bought("fruit1"))
    assert lost(shop, "cheese1", surface="buy_again")["cheese1"] == (
        "retriever",
        "no retriever of the surface proposes it",
    )
    few = pipeline.bundle.settings.retrievers.model_copy(update={"max_candidates": 10})
    settings = pipeline.bundle.settings.model_copy(update={"retrievers": few})
    with EventStore.open(tmp_path / "narrow.db") as store:
        narrow = Shop(Pipeline(replace(pipeline.bundle, settings=settings)), store)
        narrow.send(bought("fruit1"))
        stage, reason = lost(narrow, "cheese9", num_results=5)["cheese9"]
    assert stage == "first_pass"
    assert reason.startswith("encoder, popularity proposed it")


def test_what_gave_way_to_diversity(shop: Shop) -> None:
    shop.send(bought("fruit1"))
    best = [item["item_id"] for item in shop.recommend(user_id="ann", num_results=6)["items"]]
    found = lost(shop, *best, num_results=6, diversity=0.9)
    assert {stage for stage, _ in found.values()} == {"list", "diversity"}
    assert found[best[0]][0] == "list"


def test_a_stranger_is_scored_by_the_fallback_and_a_page_has_a_trace_of_each_slot(shop: Shop) -> None:
    assert stages(shop.recommend(explain=True))["ranker", "popularity"] == 30
    body = {"slots": [{"num_results": 2}, {"num_results": 2, "explain_item_ids": ["fruit0"]}]}
    first, second = shop.call("POST", "/v1/page", json=body).json()["slots"]
    assert first["trace"] is None
    assert second["trace"]["items"][0]["reason"] == "was excluded by the request"


def test_so_many_items_at_most(shop: Shop) -> None:
    bad = shop.call("POST", "/v1/recommend", json={"explain_item_ids": ["fruit1"] * 51})
    assert problem(bad, 422)["errors"][0]["field"] == "explain_item_ids"


@pytest.mark.parametrize(
    ("number", "word"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (11, "11th"), (22, "22nd"), (113, "113th")]
)
def test_ordinals(number: int, word: str) -> None:
    assert ordinal(number) == word
