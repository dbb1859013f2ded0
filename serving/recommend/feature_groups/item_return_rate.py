"""How many of those who had an item in one window have it in the next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from features.histories import IntArray
from features.profiles.item_statistics import columns_of
from features.retriever import Column
from serving.recommend.feature_group import CandidateContext, FeatureGroup


class ItemReturnRate(FeatureGroup):
    """The item's rate and its category's."""

    name: ClassVar[str] = "item_return_rate"
    columns: ClassVar[tuple[str, ...]] = ("return_rate", "category_return_rate")

    @staticmethod
    def compute(items: IntArray, context: CandidateContext) -> Mapping[str, Column]:
        """See `FeatureGroup.compute`."""
        return columns_of(context.item_profiles.statistics, items, names=ItemReturnRate.columns)
