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
from features.core.compiled import compiled
from features.histories import History, IntArray, TimeArray

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
    refunds = np.zeros(0, np.float32)
    if EVENT_TYPE_CODE["purchase"] in profile_event_types:
        refunds = past.prices[past.event_types == EVENT_TYPE_CODE["refund"]]
    first, last = (int(counted.times[place]) for place in (0, -1))
    days = [(as_of - time) / MICROSECONDS_PER_DAY if has_times else 0.0 for time in (last, first)]
    frequency, money, mean_log_price = _spending(counted.prices, refunds)
    numbers = np.log1p([days[0], frequency, money, days[1], 0.0])
    numbers[4] = mean_log_price
    favourite = _favourite(item_categories[counted.items], counted.times)
    return UserFeatures(numbers=numbers.astype(np.float32), category=favourite)


@compiled
def _spending(paid: NDArray[np.float32], refunded: NDArray[np.float32]) -> tuple[float, float, float]:
    """(events less refunds, money less refunds, both at least 0; mean logarithm of the known prices, else
    0)."""
    money, logs, known = 0.0, 0.0, 0
    for price in paid:
        if not np.isnan(price):
            money += price
        if price > 0:
            logs += np.log(np.float64(price))
            known += 1
    for price in refunded:
        if not np.isnan(price):
            money -= price
    return (max(float(len(paid) - len(refunded)), 0.0), max(money, 0.0), logs / known if known else 0.0)


def user_codes(categories: IntArray | np.int32, attributes: IntArray) -> NDArray[np.int64]:
    """What a user tower looks up: favourite category (...) and attributes (..., A - 1) → (..., A); 0 is
    unknown."""
    favourites = np.asarray(categories)[..., None]
    return np.concatenate(
        [np.where(favourites < MAX_CATEGORIES, favourites + 1, 0), attributes], axis=-1
    ).astype(np.int64)


@compiled
def _favourite(categories: IntArray, times: TimeArray) -> int:
    """The most frequent of the categories (n,) that are not -1; see `UserFeatures.category`."""
    order = np.argsort(categories, kind="mergesort")
    best, best_count, best_time = -1, 0, np.int64(0)
    place = 0
    while place < len(order):
        category, count, latest = categories[order[place]], 0, np.int64(0)
        while place < len(order) and categories[order[place]] == category:
            count += 1
            latest = max(latest, times[order[place]])
            place += 1
        if category >= 0 and (count > best_count or (count == best_count and latest > best_time)):
            best, best_count, best_time = category, count, latest
    return best
