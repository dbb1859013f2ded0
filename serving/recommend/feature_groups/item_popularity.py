"""How much an item sells, over several stretches of time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from features.core.columns import MICROSECONDS_PER_DAY
from features.core.compiled import compiled
from features.histories import IntArray, TimeArray
from features.profiles.item_statistics import ITEM_STATISTICS, columns_of
from features.retriever import Column
from serving.recommend.feature_group import CandidateContext, FeatureGroup

_STATISTICS = (
    *(name for name in ITEM_STATISTICS if name.startswith("popularity_")),
    "buyers",
    "first_buyers",
    "category_popularity",
    "share_in_category",
    "parent_popularity",
)


class ItemPopularity(FeatureGroup):
    """Popularity of the item and of its categories, its trend, and its age in the shop."""

    name: ClassVar[str] = "item_popularity"
    columns: ClassVar[tuple[str, ...]] = ("popularity_all", "popularity_trend", "item_age", *_STATISTICS)
    time_columns: ClassVar[tuple[str, ...]] = ("popularity_trend", "item_age")

    @staticmethod
    def compute(items: IntArray, context: CandidateContext) -> Mapping[str, Column]:
        """See `FeatureGroup.compute`."""
        table = context.item_profiles
        block = _popularity_columns(
            items,
            table.popularity,
            table.popularity_before,
            table.popularity_all,
            table.first_seen,
            context.as_of,
        )
        return {
            **dict(zip(ItemPopularity.columns, block, strict=False)),
            **columns_of(table.statistics, items, names=_STATISTICS),
        }


@compiled
def _popularity_columns(
    items: IntArray,
    recent: NDArray[np.float32],
    before: NDArray[np.float32],
    ever: NDArray[np.float32],
    first_seen: TimeArray,
    as_of: int,
) -> NDArray[np.float32]:
    """(3, C) popularity over all time, its trend, and the item's age."""
    block = np.empty((3, len(items)), np.float32)
    for place in range(len(items)):
        item = items[place]
        block[0, place] = np.log1p(ever[item])
        block[1, place] = np.log((recent[item] + np.float32(5)) / (before[item] + np.float32(5)))
        block[2, place] = np.log1p(max(as_of - first_seen[item], 0) / MICROSECONDS_PER_DAY)
    return block
