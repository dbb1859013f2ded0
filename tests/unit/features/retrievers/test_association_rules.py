"""What completes a cart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hand_made_dataset import dataset_of

from configs.load import load_config
from configs.schema import Config
from features.core.columns import MICROSECONDS_PER_DAY
from features.dataset import Dataset
from features.histories import History
from features.interactions import Interactions
from features.profiles.association_rules import Pairs
from features.retrievers.association_rules import AssociationRules, rule_scores
from features.splits import split_point_at, split_points
from scripts.product_bundles import bundles_of
from serving.recommend.pipeline import Pipeline
from serving.recommend.request import Query

CATALOGUE = pl.DataFrame({"id": list("abcdef"), "price": [1.0] * 6})


def test_a_rule_says_much_when_it_is_sure_and_not_true_of_everything() -> None:
    """Half of what holds 0 holds 1, nearly every basket holds 2; 3 and 4 are always together, but only three
    times, and 5 and 6 sixty times."""
    counts = np.array([100, 100, 950, 3, 3, 60, 60])
    pairs = Pairs(
        left=np.array([0, 0, 3, 5], np.int32),
        right=np.array([1, 2, 4, 6], np.int32),
        together=np.array([50, 97, 3, 60], np.int32),
        log_p=np.zeros(4),
        counts=counts,
        num_baskets=1000,
        min_together=3,
    )
    to_partner, to_staple, rare, often, _, from_staple, _, _ = rule_scores(pairs)
    assert to_partner > to_staple > from_staple > 0
    assert often > rare


def test_the_partner_comes_first_and_nothing_of_the_cart(
    shop_dataset: Dataset, shop_config: Config, tiny_pipeline: Pipeline
) -> None:
    """In the small shop bread0 goes with bread1, bread2 with bread3, and so on."""
    full = split_points(shop_dataset, shop_config.split)[2]
    rules = AssociationRules.fit(Interactions.before(shop_dataset, full, shop_config), shop_config)
    index = tiny_pipeline.bundle.item_index
    for item, partner in (("cheese2", "cheese3"), ("tea5", "tea4")):
        assert rules.for_page(np.array([index[item]], np.int32)).best(1).tolist() == [index[partner]]
    both = np.array([index["cheese2"], index["cheese3"]], np.int32)
    assert not set(rules.for_page(both).items.tolist()) & set(both.tolist())


def test_a_cart_of_two_says_more_for_what_goes_with_both() -> None:
    items = np.array([[2, 3], [3, 2], [0, -1], [0, -1]], np.int32)
    scores = np.array([[0.5, 0.4], [0.4, 0.1], [0.5, 0], [0.4, 0]], np.float32)
    nothing = np.full((4, 1), -1, np.int32)
    rules = AssociationRules(items=items, scores=scores, substitutes=nothing)
    found = rules.for_page(np.array([0, 1], np.int32))
    assert found.items.tolist() == [2, 3]
    assert found.best(1).tolist() == [3]
    replaced = replace(rules, substitutes=np.array([[-1], [2], [1], [-1]], np.int32))
    assert replaced.for_page(np.array([0, 1], np.int32)).items.tolist() == [3], "2 is bought in place of 1"
    assert replaced.for_page(np.array([0], np.int32)).items.tolist() == [2, 3]


@pytest.mark.parametrize(
    "events",
    [
        [(1, "refund", 0), (1, "refund", 1), (2, "refund", 0), (2, "refund", 1)],
        [(1, "purchase", 0), (1, "purchase", 1), (1, "purchase", 2)],
    ],
    ids=["refunds alone", "one basket"],
)
def test_a_shop_with_too_little_has_no_rules(events: list[tuple[float, str, int]]) -> None:
    dataset, config = dataset_of([events]), load_config()
    full = split_point_at(dataset, 10 * MICROSECONDS_PER_DAY, name="full")
    interactions = replace(Interactions.before(dataset, full, config), catalogue=pl.DataFrame)
    rules = AssociationRules.fit(interactions, config)
    assert not len(rules.for_page(np.array([0, 1], np.int32)).items)
    assert not len(bundles_of(replace(interactions, catalogue=lambda: CATALOGUE), min_together=2))


def test_the_cart_surface_completes_what_lies_in_the_cart(tiny_pipeline: Pipeline) -> None:
    """The cart is given as the items of the page."""
    index, titles = tiny_pipeline.bundle.item_index, tiny_pipeline.bundle.titles
    page = np.array([index["cheese2"], index["tea5"]], np.int32)
    answer = tiny_pipeline.recommend(
        Query(History.empty(), tiny_pipeline.bundle.as_of, surface="cart", page_items=page)
    )
    found = [one.item for one in answer.recommendations]
    assert {index["cheese3"], index["tea4"]} <= set(found[:4])
    assert not set(found) & set(page.tolist())
    first = answer.recommendations[found.index(index["cheese3"])]
    assert (first.reasons[0].code, first.reasons[0].item) == ("goes_with", index["cheese2"])
    assert first.reasons[0].text == f"Bought together with {titles[index['cheese2']]}"


def test_no_variant_of_what_is_in_the_cart_is_shown(tiny_pipeline: Pipeline) -> None:
    bundle = tiny_pipeline.bundle
    index = bundle.item_index
    one_product = pl.when(pl.col("id").is_in(["cheese2", "cheese3"])).then(pl.lit("gouda"))
    grouped = Pipeline(replace(bundle, catalogue=bundle.catalogue.with_columns(item_group_id=one_product)))
    query = Query(
        History.empty(), bundle.as_of, page_items=np.array([index["cheese2"]], np.int32), num_results=100
    )
    for surface in ("cart", "product"):
        shown, all_shown = (
            [one.item for one in pipeline.recommend(replace(query, surface=surface)).recommendations]
            for pipeline in (grouped, tiny_pipeline)
        )
        assert index["cheese3"] in all_shown
        assert index["cheese3"] not in shown
        assert len(shown) == len(all_shown) - 1


def test_the_surfaces_are_there_by_default() -> None:
    assert "cart" in load_config().surfaces
