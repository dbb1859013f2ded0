"""How much, how lately and how regularly: a user's events by item, by category, by any code. Shapes: n
events, M distinct codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.core.compiled import compiled
from features.histories import IntArray


@dataclass(frozen=True)
class RecencyFrequency:
    """One row for each distinct code, ascending."""

    codes: IntArray
    """(M,)"""
    num_events: NDArray[np.int64]
    """(M,)"""
    counts: NDArray[np.float32]
    """(M,) their summed weights"""
    decayed: NDArray[np.float32]
    """(M, H) the same sum, each event counting half after each of H half-lives"""
    recent: NDArray[np.float32]
    """(M, R) the same sum over the events of at most R ages"""
    days_since: NDArray[np.float32]
    """(M,) days since the last event"""
    days_since_first: NDArray[np.float32]
    """(M,) days since the first"""
    mean_gap: NDArray[np.float32]
    """(M,) mean days between two events; NaN where all were at one time"""

    def __len__(self) -> int:
        return len(self.codes)

    def look_up(self, values: NDArray[np.float32], codes: IntArray) -> NDArray[np.float32]:
        """(C,) one of these `values` (M,) for each of `codes` (C,), 0 where the code is not among these."""
        if not len(self):
            return np.zeros(len(codes), np.float32)
        row = np.minimum(np.searchsorted(self.codes, codes), len(self) - 1)
        return np.where(self.codes[row] == codes, values[row], np.float32(0))


MAX_OVERDUE = 5.0
"""Overdue beyond this many gaps is all the same."""


@compiled
def overdue(days_since: float, gap_days: float) -> float:
    """Days since the last event by the mean gap, at most `MAX_OVERDUE`; 0 where no gap is known (NaN, 0)."""
    return min(max(days_since / max(gap_days, 0.5), 0.0), MAX_OVERDUE) if gap_days > 0 else 0.0


def recency_frequency(
    codes: IntArray,
    *,
    weights: NDArray[np.float32],
    ages: NDArray[np.float32],
    half_lives: Sequence[float],
    recent_days: Sequence[float],
) -> RecencyFrequency:
    """Aggregate events by code, but for those whose code is below 0. `weights` (n,) are above 0; `ages` (n,),
    `half_lives` and `recent_days` are days."""
    coded = codes >= 0
    if not coded.all():
        codes, weights, ages = codes[coded], weights[coded], ages[coded]
    return RecencyFrequency(
        *_aggregate(codes, weights, ages, np.asarray(half_lives), np.asarray(recent_days, np.float64))
    )


@compiled
def _aggregate(
    codes: IntArray,
    weights: NDArray[np.float32],
    ages: NDArray[np.float32],
    half_lives: NDArray[np.float64],
    recent_days: NDArray[np.float64],
) -> tuple[
    IntArray,
    NDArray[np.int64],
    NDArray[np.float32],
    NDArray[np.float32],
    NDArray[np.float32],
    NDArray[np.float32],
    NDArray[np.float32],
    NDArray[np.float32],
]:
    """The fields of `RecencyFrequency`, in their order; sums are in double precision."""
    order = np.argsort(codes, kind="mergesort")
    total = 0
    for place in range(len(order)):
        total += place == 0 or codes[order[place]] != codes[order[place - 1]]
    distinct, num_events = np.empty(total, np.int32), np.zeros(total, np.int64)
    counts = np.zeros(total)
    decayed, recent = np.zeros((total, len(half_lives))), np.zeros((total, len(recent_days)))
    youngest, oldest = np.full(total, np.inf), np.zeros(total)
    row = -1
    for place in range(len(order)):
        event = order[place]
        if place == 0 or codes[event] != codes[order[place - 1]]:
            row += 1
            distinct[row] = codes[event]
        weight, days = np.float64(weights[event]), np.float64(ages[event])
        num_events[row] += 1
        counts[row] += weight
        for column in range(len(half_lives)):
            decayed[row, column] += weight * 2.0 ** (-days / half_lives[column])
        for column in range(len(recent_days)):
            if days <= recent_days[column]:
                recent[row, column] += weight
        youngest[row], oldest[row] = min(youngest[row], days), max(oldest[row], days)
    mean_gap = np.full(total, np.nan)
    for row in range(total):
        if num_events[row] > 1 and oldest[row] > youngest[row]:
            mean_gap[row] = (oldest[row] - youngest[row]) / (num_events[row] - 1)
    return (
        distinct,
        num_events,
        counts.astype(np.float32),
        decayed.astype(np.float32),
        recent.astype(np.float32),
        youngest.astype(np.float32),
        oldest.astype(np.float32),
        mean_gap.astype(np.float32),
    )
