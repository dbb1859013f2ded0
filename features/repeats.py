"""A person's own items: how often, how lately, and when the next one is due. Shapes: M distinct items of one person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.columns import MICROSECONDS_PER_DAY
from features.histories import History, IntArray, TimeArray, ages_in_days


@dataclass(frozen=True)
class OwnItems:
    """The distinct items of one person's target events, in ascending order of index."""

    items: IntArray
    """(M,)"""
    num_events: NDArray[np.int64]
    """(M,) events of the item"""
    counts: NDArray[np.float32]
    """(M,) their summed weights: the same number where purchases alone are targets"""
    decayed: NDArray[np.float32]
    """(M, H) the same sum, each event counting half after each of H half-lives"""
    days_since: NDArray[np.float32]
    """(M,) days from the last event to `as_of`"""
    mean_gap: NDArray[np.float32]
    """(M,) mean days between two events of the item; NaN for an item that came once"""

    def __len__(self) -> int:
        return len(self.items)


def own_items(targets: History, *, weights: NDArray[np.float32], as_of: int, half_lives: tuple[float, ...]) -> OwnItems:
    """Aggregate one person's target events before `as_of` by item. `weights` (n,) are above 0; `half_lives` are days."""
    past = targets.before(as_of)
    weights = weights[: len(past)]
    items, group, num_events = np.unique(past.items, return_inverse=True, return_counts=True)
    ages = ages_in_days(past.times, as_of=as_of).astype(np.float64)
    decayed = np.stack(
        [np.bincount(group, weights=weights * np.exp2(-ages / half_life), minlength=len(items)) for half_life in half_lives],
        axis=1,
    )
    youngest, oldest = np.full(len(items), np.inf), np.zeros(len(items))
    np.minimum.at(youngest, group, ages)
    np.maximum.at(oldest, group, ages)
    span = oldest - youngest
    mean_gap = np.where((num_events > 1) & (span > 0), span / np.maximum(num_events - 1, 1), np.nan)
    return OwnItems(
        items=items.astype(np.int32),
        num_events=num_events,
        counts=np.bincount(group, weights=weights, minlength=len(items)).astype(np.float32),
        decayed=decayed.astype(np.float32),
        days_since=youngest.astype(np.float32),
        mean_gap=mean_gap.astype(np.float32),
    )


@dataclass(frozen=True)
class RepeatRates:
    """How each item is bought again across all people."""

    rate: NDArray[np.float32]
    """(N,) share of the item's buyers who bought it again, drawn towards the shop's mean where buyers are few"""
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


def _first_and_last(group: NDArray[np.intp], times: TimeArray, *, num_pairs: int) -> tuple[TimeArray, TimeArray]:
    first = np.full(num_pairs, np.iinfo(np.int64).max)
    last = np.full(num_pairs, np.iinfo(np.int64).min)
    np.minimum.at(first, group, times)
    np.maximum.at(last, group, times)
    return first, last
