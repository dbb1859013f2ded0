"""An item's price, beside what the user pays and beside what it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from features.core.compiled import compiled
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
        distance, difference = _price_columns(
            items, table.price, profile.log_price_mean, profile.log_price_deviation
        )
        return {
            "price_distance": distance,
            "price_difference": difference,
            **columns_of(table.statistics, items, names=_STATISTICS),
        }


@compiled
def _price_columns(
    items: IntArray, prices: NDArray[np.float32], mean: float, deviation: float
) -> NDArray[np.float32]:
    """(2, C) how many standard deviations each item's price is away from the user's mean, without and with a
    sign; 1 and 0 where one of them is not known."""
    block = np.empty((2, len(items)), np.float32)
    for place in range(len(items)):
        difference = (np.log(prices[items[place]]) - mean) / max(deviation, 0.1)
        unknown = np.isnan(difference)
        difference = min(max(difference, -_MAX_DEVIATIONS), _MAX_DEVIATIONS)
        block[0, place] = 1.0 if unknown else abs(difference)
        block[1, place] = 0.0 if unknown else difference
    return block
