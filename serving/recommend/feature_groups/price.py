"""An item's price, beside what the user pays and beside what it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

import numpy as np

from features.histories import IntArray
from features.profiles.item_statistics import columns_of
from features.retriever import Column
from serving.recommend.feature_group import CandidateContext, FeatureGroup

_MAX_DEVIATIONS: Final = 5.0
"""Further from the user's mean price than this many standard deviations is all the same."""
_STATISTICS: Final = ("deal_quarter", "deal_window", "log_price")


class Price(FeatureGroup):
    """Distance from the mean of the logarithm of the prices that the user paid, and how cheap the item is
    now."""

    name: ClassVar[str] = "price"
    columns: ClassVar[tuple[str, ...]] = ("price_distance", "price_difference", *_STATISTICS)

    @staticmethod
    def compute(items: IntArray, context: CandidateContext) -> Mapping[str, Column]:
        """See `FeatureGroup.compute`."""
        profile, table = context.profile, context.item_profiles
        with np.errstate(invalid="ignore", divide="ignore"):
            log_price = np.log(table.price[items])
            difference = (log_price - profile.log_price_mean) / max(profile.log_price_deviation, 0.1)
        limit = _MAX_DEVIATIONS
        distance = np.nan_to_num(np.abs(difference), nan=1.0, posinf=limit)
        return {
            "price_distance": np.clip(distance, 0, limit),
            "price_difference": np.clip(
                np.nan_to_num(difference, nan=0.0, posinf=limit, neginf=-limit), -limit, limit
            ),
            **columns_of(table.statistics, items, names=_STATISTICS),
        }
