"""How often, and after how long, each item is bought again, over all users. Shapes: E events, N items."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.core.columns import MICROSECONDS_PER_DAY
from features.histories import History, IntArray, TimeArray


@dataclass(frozen=True)
class RepeatRates:
    """How each item is bought again across all users."""

    rate: NDArray[np.float32]
    """(N,) share of the item's buyers who bought it again, drawn towards the shop's mean where buyers are
    few"""
    gap_days: NDArray[np.float32]
    """(N,) mean days until they did; the shop's mean where nobody did"""


PRIOR_BUYERS = 10.0
"""An item's repeat rate counts as if this many average buyers stood behind it."""


def repeat_rates(users: IntArray, targets: History, *, num_items: int, as_of: int) -> RepeatRates:
    """Fit repeat rates on everyone's target events (E) before `as_of`; `users` (E) says whose each is."""
    past = targets.times < as_of
    pair = users[past].astype(np.int64) * num_items + targets.items[past]
    pairs, group, counts = np.unique(pair, return_inverse=True, return_counts=True)
    first, last = _first_and_last(group, targets.times[past], num_pairs=len(pairs))
    items = pairs % num_items
    again = (counts > 1) & (last > first)
    buyers = np.bincount(items, minlength=num_items)
    repeaters = np.bincount(items[again], minlength=num_items)
    mean_rate = repeaters.sum() / max(buyers.sum(), 1)
    days = (last[again] - first[again]) / MICROSECONDS_PER_DAY
    num_gaps = np.bincount(items[again], weights=counts[again] - 1.0, minlength=num_items)
    total_days = np.bincount(items[again], weights=days, minlength=num_items)
    mean_gap = total_days.sum() / num_gaps.sum() if num_gaps.sum() else 0.0
    return RepeatRates(
        rate=((repeaters + PRIOR_BUYERS * mean_rate) / (buyers + PRIOR_BUYERS)).astype(np.float32),
        gap_days=((total_days + PRIOR_BUYERS * mean_gap) / (num_gaps + PRIOR_BUYERS)).astype(np.float32),
    )


def _first_and_last(
    group: NDArray[np.intp], times: TimeArray, *, num_pairs: int
) -> tuple[TimeArray, TimeArray]:
    first = np.full(num_pairs, np.iinfo(np.int64).max)
    last = np.full(num_pairs, np.iinfo(np.int64).min)
    np.minimum.at(first, group, times)
    np.maximum.at(last, group, times)
    return first, last
