"""What could stand in for an item: the catalogue leads, behaviour decides among what it describes alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from configs.schema import Config
from features.dataset import Dataset
from features.interactions import Interactions
from features.retrievers.content import Content
from features.retrievers.similar import Similar
from features.splits import split_points
from serving.recommend.pipeline import Pipeline


@pytest.fixture(scope="module")
def interactions(shop_dataset: Dataset, shop_config: Config, tiny_pipeline: Pipeline) -> Interactions:
    full = split_points(shop_dataset, shop_config.split)[2]
    return Interactions.before(shop_dataset, full, shop_config, trained=tiny_pipeline.bundle.retrievers)


def with_catalogue(interactions: Interactions, catalogue: pl.DataFrame) -> Interactions:
    return replace(interactions, catalogue=lambda: catalogue)


def neighbours(table: Similar | Content, ids: list[str], item: str) -> list[str]:
    return [ids[place] for place in table.items[ids.index(item)].tolist() if place >= 0]


def test_the_like_of_an_item_are_of_its_aisle_and_the_popular_come_first(
    interactions: Interactions, shop_config: Config, tiny_pipeline: Pipeline
) -> None:
    ids = tiny_pipeline.bundle.item_ids
    content, similar = Content.fit(interactions, shop_config), Similar.fit(interactions, shop_config)
    found = neighbours(similar, ids, "tea5")
    assert {name[:3] for name in found[:9]} == {"tea"}
    assert set(neighbours(content, ids, "tea5")[:9]) == set(found[:9])
    sold = tiny_pipeline.bundle.item_profiles.popularity
    assert found[0] == "tea4", "half of the baskets with one have the other"
    of_tea = [float(sold[ids.index(name)]) for name in found[1:9]]
    assert np.mean(of_tea[:4]) > np.mean(of_tea[4:]), "the popular ones first"
    assert neighbours(similar, ids, "paper9"), "nobody ever bought it"


def test_without_any_text_behaviour_alone_speaks(
    interactions: Interactions, shop_config: Config, tiny_pipeline: Pipeline
) -> None:
    ids = tiny_pipeline.bundle.item_ids
    bare = with_catalogue(interactions, interactions.catalogue().select("id"))
    similar = Similar.fit(bare, shop_config)
    assert not (Content.fit(bare, shop_config).items >= 0).any()
    found = neighbours(similar, ids, "tea4")
    assert len(found) == similar.items.shape[1]
    assert "tea5" in found[:3], "half of the baskets with one have the other"
    assert not neighbours(similar, ids, "paper9"), "of which nothing at all is known"


def test_variants_do_not_stand_in_for_each_other_however_they_sell(
    interactions: Interactions, shop_config: Config, tiny_pipeline: Pipeline
) -> None:
    ids = tiny_pipeline.bundle.item_ids
    is_pair = pl.col("id").is_in(["tea4", "tea5"])
    for columns in (["id", "title", "product_type"], ["id"]):
        catalogue = interactions.catalogue().select(columns)
        grouped = catalogue.with_columns(item_group_id=pl.when(is_pair).then(pl.lit("tea")))
        similar = Similar.fit(with_catalogue(interactions, grouped), shop_config)
        assert "tea5" not in neighbours(similar, ids, "tea4")
        assert "tea4" not in neighbours(similar, ids, "tea5")
        assert neighbours(similar, ids, "tea4")
