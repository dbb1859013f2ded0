"""How often and how lately the user buys from an item's category, and from the one above it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from features.core.compiled import compiled
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
        profile, table = context.profile, context.item_profiles
        category, parent, own = profile.in_category, profile.in_parent, profile.own
        block = _category_columns(
            items,
            table.category,
            table.parent,
            _rows(category),
            _rows(parent),
            profile.category_shares,
            profile.features.category,
            own.codes,
            own.decayed[:, _HALF_LIFE],
        )
        return dict(zip(Category.columns, block, strict=True))


_Level = tuple[IntArray, NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
"""Codes, counts, decayed counts, days since and mean gap"""


def _rows(level: RecencyFrequency) -> _Level:
    return level.codes, level.counts, level.decayed[:, _HALF_LIFE], level.days_since, level.mean_gap


@compiled
def _category_columns(
    items: IntArray,
    categories: IntArray,
    parents: IntArray,
    of_category: _Level,
    of_parent: _Level,
    shares: NDArray[np.float32],
    favourite: int,
    own_codes: IntArray,
    own_decayed: NDArray[np.float32],
) -> NDArray[np.float32]:
    """(F, C) the columns of `Category`, in their order."""
    block = np.zeros((11, len(items)), np.float32)
    for place in range(len(items)):
        category = categories[items[place]]
        if category >= 0:
            block[1, place] = category == favourite
        decayed = np.float32(0.0)
        row = np.searchsorted(of_category[0], category)
        if row < len(of_category[0]) and of_category[0][row] == category:
            decayed = of_category[2][row]
            block[0, place] = np.sqrt(shares[row])
            _write_level(block[2:6, place], of_category, row)
        at = np.searchsorted(of_parent[0], parents[items[place]])
        if at < len(of_parent[0]) and of_parent[0][at] == parents[items[place]]:
            _write_level(block[6:10, place], of_parent, at)
        mine = np.searchsorted(own_codes, items[place])
        if mine < len(own_codes) and own_codes[mine] == items[place]:
            block[10, place] = own_decayed[mine] / max(decayed, np.float32(1e-6))
    return block


@compiled
def _write_level(into: NDArray[np.float32], level: _Level, row: int) -> None:
    """Count, decayed count, days since and overdue of one row, (4,)."""
    _, counts, decayed, days_since, mean_gap = level
    into[0] = np.log1p(counts[row])
    into[1] = np.log1p(decayed[row])
    into[2] = np.log1p(days_since[row])
    into[3] = overdue(days_since[row], mean_gap[row])
