"""What is to be expected of items that nobody has had, so that a ranker that has learnt from the others can
score them. Shapes: N items, M of them without events, K neighbours."""

from __future__ import annotations

from typing import Final

import numpy as np

from features.histories import IntArray
from features.profiles.item_neighbours import Neighbours
from features.profiles.item_profiles import ItemProfiles
from features.profiles.item_statistics import ITEM_STATISTICS

_COUNTS: Final = ("popularity", "popularity_before", "popularity_all")
_OWN: Final = (
    "category_return_rate",
    "category_popularity",
    "parent_popularity",
    "deal_quarter",
    "deal_window",
    "log_price",
)
"""Statistics that an item has from its category and its price, or that mean nothing without a past"""


def expect(profiles: ItemProfiles, items: IntArray, near: Neighbours) -> None:
    """Write into the rows `items` (M,) of profiles what the items with events have that are `near` (M, K):
    the mean by similarity, of counts that of their logarithms. A row without any stays as it is."""
    columns = [place for place, name in enumerate(ITEM_STATISTICS) if name not in _OWN]
    for item, others, similarity in zip(items.tolist(), near.items, near.scores, strict=True):
        weights = similarity[others >= 0]
        others = others[others >= 0]
        if not len(others):
            continue
        weights = weights / weights.sum()
        for name in _COUNTS:
            counts = getattr(profiles, name)
            counts[item] = np.expm1(weights @ np.log1p(counts[others]))
        profiles.statistics[item, columns] = weights @ profiles.statistics[others][:, columns]
