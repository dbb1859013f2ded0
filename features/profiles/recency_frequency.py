"""How much, how lately and how regularly: a user's events by item, by category, by any code. Shapes: n
events, M distinct codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

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

    def rows_of(self, codes: IntArray) -> Rows:
        """Where each of `codes` (C,) stands among these."""
        return Rows(self.codes, codes)


class Rows:
    """Where codes (C,) stand among the ascending codes (M,) of a `RecencyFrequency`."""

    def __init__(self, among: IntArray, codes: IntArray) -> None:
        self._row = np.minimum(np.searchsorted(among, codes), max(len(among) - 1, 0))
        self.found: NDArray[np.bool_] = (
            among[self._row] == codes if len(among) else np.zeros(len(codes), bool)
        )

    def at(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """(M,) → (C,), 0 where the code is not among them."""
        if not len(values):
            return np.zeros(len(self.found), np.float32)
        return np.where(self.found, values[self._row], np.float32(0)).astype(np.float32)


MAX_OVERDUE = 5.0
"""Overdue beyond this many gaps is all the same."""


def overdue(days_since: NDArray[np.float32], gap_days: NDArray[np.float32]) -> NDArray[np.float32]:
    """(C,) days since the last event by the mean gap, at most `MAX_OVERDUE`; 0 where no gap is known."""
    ratio = np.clip(days_since / np.maximum(gap_days, 0.5), 0, MAX_OVERDUE)
    return np.where(gap_days > 0, ratio, np.float32(0)).astype(np.float32)


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
    distinct, group, num_events = np.unique(codes, return_inverse=True, return_counts=True)
    days = ages.astype(np.float64)
    total = len(distinct)

    def summed(of_events: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        return np.bincount(group, weights=of_events, minlength=total).astype(np.float32)

    youngest, oldest = np.full(total, np.inf), np.zeros(total)
    np.minimum.at(youngest, group, days)
    np.maximum.at(oldest, group, days)
    span = oldest - youngest
    mean_gap = np.where((num_events > 1) & (span > 0), span / np.maximum(num_events - 1, 1), np.nan)
    return RecencyFrequency(
        codes=distinct.astype(np.int32),
        num_events=num_events,
        counts=summed(weights.astype(np.float64)),
        decayed=_columns([summed(weights * np.exp2(-days / half_life)) for half_life in half_lives], total),
        recent=_columns([summed(weights * (days <= limit)) for limit in recent_days], total),
        days_since=youngest.astype(np.float32),
        days_since_first=oldest.astype(np.float32),
        mean_gap=mean_gap.astype(np.float32),
    )


def _columns(found: list[NDArray[np.float32]], total: int) -> NDArray[np.float32]:
    return np.stack(found, axis=1) if found else np.empty((total, 0), np.float32)
