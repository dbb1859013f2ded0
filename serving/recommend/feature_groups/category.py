"""How often and how lately the user buys from an item's category, and from the one above it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

import numpy as np

from features.histories import IntArray
from features.profiles.recency_frequency import RecencyFrequency, overdue
from features.profiles.user_profile import HALF_LIVES
from features.retriever import Column
from serving.recommend.feature_group import CandidateContext, FeatureGroup

_HALF_LIFE: Final = HALF_LIVES.index(60.0)
_LEVELS: Final = ("category", "parent")


class Category(FeatureGroup):
    """The user's counts by category, and what share of them the item has."""

    name: ClassVar[str] = "category"
    columns: ClassVar[tuple[str, ...]] = (
        "category_share",
        "is_favourite_category",
        *(f"{level}_{name}" for level in _LEVELS for name in ("count", "decayed", "days_since", "due")),
        "own_in_category",
    )
    time_columns: ClassVar[tuple[str, ...]] = tuple(
        f"{level}_{name}" for level in _LEVELS for name in ("days_since", "due")
    )

    @staticmethod
    def compute(items: IntArray, context: CandidateContext) -> Mapping[str, Column]:
        """See `FeatureGroup.compute`."""
        profile = context.profile
        category, parent = context.item_profiles.category[items], context.item_profiles.parent[items]
        rows = profile.in_category.rows_of(category)
        favourite = profile.features.category
        own = profile.own.rows_of(items).at(profile.own.decayed[:, _HALF_LIFE])
        of_category = rows.at(profile.in_category.decayed[:, _HALF_LIFE])
        return {
            "category_share": np.sqrt(rows.at(profile.category_shares)),
            "is_favourite_category": (category == favourite).astype(np.float32) * (favourite >= 0),
            **_level(category, profile.in_category, level="category"),
            **_level(parent, profile.in_parent, level="parent"),
            "own_in_category": own / np.maximum(of_category, 1e-6),
        }


def _level(codes: IntArray, counts: RecencyFrequency, *, level: str) -> dict[str, Column]:
    rows = counts.rows_of(codes)
    days_since = rows.at(counts.days_since)
    return {
        f"{level}_count": np.log1p(rows.at(counts.counts)),
        f"{level}_decayed": np.log1p(rows.at(counts.decayed[:, _HALF_LIFE])),
        f"{level}_days_since": np.log1p(days_since),
        f"{level}_due": overdue(days_since, rows.at(np.nan_to_num(counts.mean_gap))),
    }
