"""Who a user is, in six facts as of a moment: for the user tower and the ranker, in training and in serving
alike.

`point_in_time.py` gives the same numbers for every event of a dataset at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from configs.settings.event_types import TARGET_EVENT_TYPES
from features.core.columns import EVENT_TYPE_CODE, MICROSECONDS_PER_DAY
from features.histories import History, IntArray

USER_NUMBERS: Final = ("recency_days", "frequency", "money", "tenure_days", "mean_log_price")
"""The columns of `UserFeatures.numbers`."""

MAX_CATEGORIES: Final = 100_000
"""A user tower knows this many favourite categories; the rest are as if unknown, since the table stands in
the exported graph."""


@dataclass(frozen=True)
class UserFeatures:
    """One user before `as_of`. All is zero for a stranger, whose category is -1."""

    numbers: NDArray[np.float32]
    """(F,) as `USER_NUMBERS` names them, fit for a network: log1p of all but the last, the mean natural
    logarithm of the unit prices paid (0 where none is known)"""
    category: int
    """The category with the most counted events; among equals the one counted last, then the smaller code. -1
    without one"""


def profile_event_types(event_types: Iterable[str]) -> tuple[str, ...]:
    """The event types that count, of those a shop has: its purchases, or where it has none, all that show an
    interest."""
    found = set(event_types)
    return (
        ("purchase",) if "purchase" in found else tuple(kind for kind in TARGET_EVENT_TYPES if kind in found)
    )


def user_features(
    history: History,
    *,
    as_of: int,
    profile_event_types: NDArray[np.int8],
    item_categories: IntArray,
    has_times: bool,
) -> UserFeatures:
    """Recency, frequency, money, tenure, price level and favourite category of the events strictly before
    `as_of`.

    Counted are events of `profile_event_types` (codes). Where purchases count, each refund takes one from the
    frequency and its price from the money, never below 0. Money is the sum of unit prices: a dataset has no
    quantities. Recency and tenure are days since the last and since the first counted event, 0 on an ordinal
    clock. `item_categories` (N,) holds -1 for none.
    """
    past = history.before(as_of)
    counted = past.of_event_types(profile_event_types)
    if not len(counted):
        return UserFeatures(numbers=np.zeros(len(USER_NUMBERS), np.float32), category=-1)
    frequency, money = float(len(counted)), _sum(counted.prices)
    if EVENT_TYPE_CODE["purchase"] in profile_event_types:
        refunded = past.event_types == EVENT_TYPE_CODE["refund"]
        frequency, money = frequency - np.count_nonzero(refunded), money - _sum(past.prices[refunded])
    days = (as_of - counted.times[[-1, 0]]) / MICROSECONDS_PER_DAY if has_times else np.zeros(2)
    paid = counted.prices[counted.prices > 0].astype(np.float64)
    numbers = np.log1p([days[0], max(frequency, 0.0), max(money, 0.0), days[1], 0.0])
    numbers[4] = np.log(paid).mean() if len(paid) else 0.0
    return UserFeatures(numbers=numbers.astype(np.float32), category=_favourite(counted, item_categories))


def user_codes(categories: IntArray | np.int32, attributes: IntArray) -> NDArray[np.int64]:
    """What a user tower looks up: favourite category (...) and attributes (..., A - 1) → (..., A); 0 is
    unknown."""
    favourites = np.asarray(categories)[..., None]
    return np.concatenate(
        [np.where(favourites < MAX_CATEGORIES, favourites + 1, 0), attributes], axis=-1
    ).astype(np.int64)


def _sum(prices: NDArray[np.float32]) -> float:
    return float(np.nansum(prices, dtype=np.float64))


def _favourite(counted: History, item_categories: IntArray) -> int:
    categories = item_categories[counted.items]
    has_one = categories >= 0
    categories, times = categories[has_one], counted.times[has_one]
    if not len(categories):
        return -1
    values, counts = np.unique_counts(categories)
    best = values[counts == counts.max()]
    if len(best) > 1:
        is_best = np.isin(categories, best)
        best = categories[is_best & (times == times[is_best][-1])]
    return int(best.min())
