"""When something was bought: the moments of its purchases, and the intervals between them. Shapes: n events,
M things that are counted, such as a user's items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.core.columns import MICROSECONDS_PER_DAY
from features.core.compiled import compiled
from features.histories import TimeArray

MOMENT_DAYS: Final = 0.5
"""Purchases less than this after the first of a moment belong to it: two lines of one order have no
interval."""

HALF_LIFE_DAYS: Final = 30.0
"""Of `decayed`."""


@dataclass(frozen=True)
class PurchaseRhythm:
    """One row for each thing, as of a moment. Days."""

    moments: NDArray[np.int64]
    """(M,) distinct moments of purchase; 0 for a thing without one, whose other fields are 0"""
    since_first: NDArray[np.float64]
    """(M,) days since the first"""
    since_last: NDArray[np.float64]
    """(M,) days since the last"""
    log_sum: NDArray[np.float64]
    """(M,) sum of the natural logarithm of the intervals between them"""
    log_squares: NDArray[np.float64]
    """(M,) sum of its square"""

    def take(self, rows: NDArray[np.intp]) -> PurchaseRhythm:
        """Some of the things, or one of them several times."""
        return PurchaseRhythm(*(values[rows] for values in vars(self).values()))

    @property
    def mean_interval(self) -> NDArray[np.float64]:
        """(M,) mean days between two moments; NaN where there is one at most."""
        intervals = np.where(self.moments > 1, self.moments - 1.0, np.nan)
        return (self.since_first - self.since_last) / intervals


def purchase_rhythm(
    rows: NDArray[np.int64], times: TimeArray, *, num_rows: int, as_of: int
) -> PurchaseRhythm:
    """The rhythm of each of `num_rows` things as of a moment (microseconds), after all `times`.

    `rows` (n,) says what each event is of; the times (n,) of one row ascend.
    """
    return PurchaseRhythm(*_rhythm(rows, times, num_rows, as_of))


def decayed(times: TimeArray, *, as_of: int) -> NDArray[np.float64]:
    """(n,) what each event counts: half after `HALF_LIFE_DAYS`."""
    found: NDArray[np.float64] = np.exp2((times - as_of) / (MICROSECONDS_PER_DAY * HALF_LIFE_DAYS))
    return found


@compiled
def _rhythm(
    rows: NDArray[np.int64], times: TimeArray, num_rows: int, as_of: int
) -> tuple[
    NDArray[np.int64],
    NDArray[np.float64],
    NDArray[np.float64],
    NDArray[np.float64],
    NDArray[np.float64],
]:
    """The fields of `PurchaseRhythm`, in their order."""
    moments = np.zeros(num_rows, np.int64)
    since_first, since_last = np.zeros(num_rows), np.zeros(num_rows)
    log_sum, log_squares = np.zeros(num_rows), np.zeros(num_rows)
    for event in range(len(rows)):
        row, ago = rows[event], (as_of - times[event]) / MICROSECONDS_PER_DAY
        if moments[row] == 0:
            moments[row], since_first[row], since_last[row] = 1, ago, ago
            continue
        interval = since_last[row] - ago
        if interval >= MOMENT_DAYS:
            logarithm = np.log(interval)
            moments[row] += 1
            log_sum[row] += logarithm
            log_squares[row] += logarithm * logarithm
            since_last[row] = ago
    return moments, since_first, since_last, log_sum, log_squares
