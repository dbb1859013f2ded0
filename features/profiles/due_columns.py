"""What tells whether a user buys one of their items within the next days. Shapes: M items of users."""

from __future__ import annotations

from math import erfc, exp, log, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.core.compiled import compiled
from features.profiles.purchase_rhythm import MOMENT_DAYS, PurchaseRhythm

DUE_COLUMNS: Final = (
    "constant",
    "poisson_gamma",
    "interval",
    "not_yet",
    "times_again",
    "since_last",
    "early",
    "just_now",
    "item_rate",
    "item_again",
    "user_rate",
    "user_lately",
)
"""poisson_gamma: log-odds by the user's rate, drawn to the item's, with recency (modified Poisson-gamma of
Bhagat et al., KDD 2018). interval: log-odds by a log-normal interval, drawn to the item's, that has lasted
until now. not_yet: logarithm of the probability that it lasts so long. early: by how much, in logarithms, the
interval has not lasted yet. just_now: 1 while the moment of the last purchase is not over. The rest:
logarithms of counts, days and rates."""

POISSON_GAMMA: Final = DUE_COLUMNS.index("poisson_gamma")

_ITEM_INTERVALS = 3.0
"""The item's interval counts as so many of the user's own."""
_LEAST, _MOST = 1e-6, 1 - 1e-6


def due_columns(
    rhythm: PurchaseRhythm,
    visits: PurchaseRhythm,
    lately: NDArray[np.float64],
    statistics: NDArray[np.float64],
    *,
    days: float,
) -> NDArray[np.float64]:
    """(M, F) the `DUE_COLUMNS` of each item.

    Args:
        rhythm: (M,) of the user's purchases of the item.
        visits: (M,) of all purchases of its user.
        lately: (M,) their number, see `purchase_rhythm.decayed`.
        statistics: (M, 4) of the item, see `item_intervals.STATISTICS`.
        days: how many the question is about.
    """
    return _columns(
        rhythm.moments,
        rhythm.since_first,
        rhythm.since_last,
        rhythm.log_sum,
        visits.moments,
        visits.since_first,
        lately,
        statistics,
        days,
    )


@compiled
def _columns(
    moments: NDArray[np.int64],
    since_first: NDArray[np.float64],
    since_last: NDArray[np.float64],
    log_sum: NDArray[np.float64],
    visits: NDArray[np.int64],
    visiting_days: NDArray[np.float64],
    lately: NDArray[np.float64],
    statistics: NDArray[np.float64],
    days: float,
) -> NDArray[np.float64]:
    """See `due_columns`."""
    block = np.zeros((len(moments), 12))
    for row in range(len(moments)):
        again, since = float(moments[row] - 1), since_last[row]
        rate = statistics[row, 2]
        block[row, 0] = 1.0
        expected = days * _poisson_gamma_rate(again, since_first[row], since, exp(rate))
        block[row, 1] = _log_odds(1 - exp(-expected))
        weight = again + _ITEM_INTERVALS
        mean = (log_sum[row] + _ITEM_INTERVALS * statistics[row, 0]) / weight
        spread = exp(statistics[row, 1]) * sqrt(1 + 1 / weight)
        started = max(since, 1 / 24)
        now = min((log(started) - mean) / spread, 6.0)
        until = now + log((started + days) / started) / spread
        lasts = _lasts(now)
        block[row, 2] = _log_odds(1 - _lasts(until) / lasts)
        block[row, 3] = log(lasts)
        block[row, 4] = log(1 + again)
        block[row, 5] = log(since + days)
        block[row, 6] = max(mean - log(since + 0.5), 0.0)
        block[row, 7] = 1.0 if since < MOMENT_DAYS else 0.0
        block[row, 8], block[row, 9] = rate, statistics[row, 3]
        block[row, 10] = log(max(visits[row], 1) / (visiting_days[row] + 30))
        block[row, 11] = log(lately[row] + 0.01)
    return block


@compiled
def _poisson_gamma_rate(again: float, since_first: float, since_last: float, item_rate: float) -> float:
    """Purchases a day: `again` of them, and one more that came in the item's time for one. Within two mean
    intervals of the last purchase, the rate is highest where one has just passed."""
    prior_days = 1 / item_rate
    between = since_first - since_last
    observed = since_first
    if again > 0:
        interval = between / again
        if since_last < 2 * interval:
            observed = between + 2 * abs(interval - since_last)
    return (again + 1) / (observed + prior_days)


@compiled
def _lasts(deviations: float) -> float:
    """The probability that a normal variable is above so many standard deviations."""
    return 0.5 * erfc(deviations / sqrt(2.0))


@compiled
def _log_odds(probability: float) -> float:
    bounded = min(max(probability, _LEAST), _MOST)
    return log(bounded / (1 - bounded))
