"""How much an item sells, over several stretches of time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from features.core.columns import MICROSECONDS_PER_DAY
from features.histories import IntArray
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
        recent, before = table.popularity[items], table.popularity_before[items]
        age_days = np.maximum(context.as_of - table.first_seen[items], 0) / MICROSECONDS_PER_DAY
        return {
            "popularity_all": np.log1p(table.popularity_all[items]),
            "popularity_trend": np.log((recent + 5) / (before + 5)),
            "item_age": np.log1p(age_days),
            **columns_of(table.statistics, items, names=_STATISTICS),
        }
