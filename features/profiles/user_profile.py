"""What one user's events say as of a moment: the numbers that candidates are compared with. Made per
request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from configs.settings.event_types import EventType
from features.core.columns import EVENT_TYPE_CODE, MICROSECONDS_PER_DAY
from features.core.compiled import compiled
from features.histories import History, IntArray, TimeArray, ages_in_days
from features.profiles.recency_frequency import RecencyFrequency, recency_frequency
from features.profiles.user_features import UserFeatures, user_features
from features.sessions import SESSION_GAP_MINUTES
from features.target_weights import target_weights

HALF_LIVES: Final = (15.0, 30.0, 60.0, 120.0, 365.0)
"""Days after which an event counts half, in the decayed counts by item and by category."""

RECENT_WINDOWS: Final = (0.25, 0.5, 1.0, 2.0, 3.0)
"""Stretches before the moment in which a user's events are counted, in recent windows
(`retrievers.popularity_days`)."""

CART_DAYS = 1.0
"""What was put into the cart this long ago, and neither removed nor bought since, still lies there."""

SESSION_DAYS = SESSION_GAP_MINUTES / (24 * 60)
"""What was touched this long ago belongs to the present session."""

SESSION_EVENT_TYPES = np.array(
    [
        EVENT_TYPE_CODE["select_item"],
        EVENT_TYPE_CODE["view_item"],
        EVENT_TYPE_CODE["add_to_cart"],
        EVENT_TYPE_CODE["add_to_wishlist"],
    ],
    np.int8,
)


@dataclass(frozen=True)
class UserProfile:
    """Aggregates of one history before `as_of`."""

    target_items: IntArray
    """(T,) the items of the target events that nothing has undone, oldest first"""
    target_event_types: NDArray[np.int8]
    """(T,) their event type codes"""
    target_times: TimeArray
    """(T,) when they were, in microseconds"""
    own: RecencyFrequency
    """By item"""
    in_category: RecencyFrequency
    """By leaf category, of the items that have one"""
    in_parent: RecencyFrequency
    """By the category above it"""
    recent_items: IntArray
    """(R,) distinct items of the latest target events, the latest first"""
    session_items: IntArray
    """(V,) distinct items touched in the present session, the latest first"""
    cart_items: IntArray
    num_baskets: int
    num_baskets_recent: NDArray[np.int64]
    """(R,) of at most R ages"""
    num_new_recent: NDArray[np.int64]
    """(R,) items that came for the first time, likewise"""
    categories: IntArray
    """(G,) categories bought from, ascending"""
    category_shares: NDArray[np.float32]
    """(G,) share of the weight of the user's target events in each"""
    log_price_mean: float
    """Mean of the natural logarithm of the prices paid; NaN where none is known"""
    log_price_deviation: float
    features: UserFeatures
    """What a user tower reads, too"""


def build_user_profile(
    history: History,
    *,
    as_of: int,
    targets: Mapping[EventType, float],
    item_categories: IntArray,
    item_parents: IntArray,
    half_lives: Sequence[float],
    recent_days: Sequence[float],
    num_recent: int,
    profile_event_types: NDArray[np.int8],
    has_times: bool,
) -> UserProfile:
    """Aggregate a history. `item_categories` and `item_parents` (N,) hold category codes, -1 without one.

    `profile_event_types` are for `user_features`. Without times (an ordinal clock) every event is of age 0:
    nothing decays, and the session and the cart go back to the first event, whatever the clock of `as_of`.

    What was bought and brought back by `as_of` counts nowhere but among what was looked at.
    """
    past = history.before(as_of)
    standing, weights = _standing(past, targets)
    ages = ages_in_days(standing.times, as_of=as_of) if has_times else np.zeros(len(standing), np.float32)
    by = partial(
        recency_frequency, weights=weights, ages=ages, half_lives=half_lives, recent_days=recent_days
    )
    own, in_category = by(standing.items), by(item_categories[standing.items])
    limits = np.asarray(recent_days, np.float64)
    num_baskets, num_baskets_recent = _count_baskets(standing.baskets, ages, limits)
    log_price_mean, log_price_deviation = _log_prices(standing.prices)
    return UserProfile(
        target_items=standing.items,
        target_event_types=standing.event_types,
        target_times=standing.times,
        own=own,
        in_category=in_category,
        in_parent=by(item_parents[standing.items]),
        recent_items=_latest_distinct(standing.items, num_recent),
        session_items=_session_items(_latest(past, as_of, days=SESSION_DAYS, has_times=has_times)),
        cart_items=_cart_items(_latest(past, as_of, days=CART_DAYS, has_times=has_times)),
        num_baskets=num_baskets,
        num_baskets_recent=num_baskets_recent,
        num_new_recent=np.count_nonzero(own.days_since_first[:, None] <= limits, axis=0),
        categories=in_category.codes,
        category_shares=in_category.counts / max(float(weights.sum()), 1e-9),
        log_price_mean=log_price_mean,
        log_price_deviation=log_price_deviation,
        features=user_features(
            past,
            as_of=as_of,
            profile_event_types=profile_event_types,
            item_categories=item_categories,
            has_times=has_times,
        ),
    )


def _standing(past: History, targets: Mapping[EventType, float]) -> tuple[History, NDArray[np.float32]]:
    """The events that count as targets and were not undone, and their weights."""
    weights = target_weights(None, past, targets)
    counts = weights > 0
    return (past, weights) if counts.all() else (past.take(counts), weights[counts])


@compiled
def _count_baskets(
    baskets: TimeArray, ages: NDArray[np.float32], limits: NDArray[np.float64]
) -> tuple[int, NDArray[np.int64]]:
    """(all baskets, those with an event of at most each of the ages `limits`)."""
    order = np.argsort(baskets, kind="mergesort")
    total, recent = 0, np.zeros(len(limits), np.int64)
    place = 0
    while place < len(order):
        basket, youngest = baskets[order[place]], np.float64(ages[order[place]])
        while place < len(order) and baskets[order[place]] == basket:
            youngest = min(youngest, np.float64(ages[order[place]]))
            place += 1
        total += 1
        for column in range(len(limits)):
            recent[column] += youngest <= limits[column]
    return total, recent


@compiled
def _log_prices(prices: NDArray[np.float32]) -> tuple[float, float]:
    """(mean, standard deviation) of the natural logarithm of the known prices; NaN without one."""
    known = np.log(prices[prices > 0].astype(np.float64))
    return (known.mean(), known.std()) if len(known) else (np.nan, np.nan)


@compiled
def _latest_distinct(items: IntArray, limit: int) -> IntArray:
    """The distinct items, the latest first, at most `limit`."""
    found, count = np.empty(min(limit, len(items)), np.int32), 0
    for place in range(len(items) - 1, -1, -1):
        if count == len(found):
            break
        is_new = True
        for earlier in range(count):
            if found[earlier] == items[place]:
                is_new = False
                break
        if is_new:
            found[count] = items[place]
            count += 1
    return found[:count]


def _latest(past: History, as_of: int, *, days: float, has_times: bool) -> History:
    """The events of the last `days`; all, where there are no times."""
    since = as_of - int(days * MICROSECONDS_PER_DAY)
    return past.take(slice(int(np.searchsorted(past.times, since)), None)) if has_times else past


def _session_items(visit: History) -> IntArray:
    if not len(visit):
        return visit.items
    return _latest_distinct(visit.of_event_types(SESSION_EVENT_TYPES).items, len(visit))


def _cart_items(lately: History) -> IntArray:
    if not len(lately):
        return lately.items
    event_types = (
        EVENT_TYPE_CODE["add_to_cart"],
        EVENT_TYPE_CODE["remove_from_cart"],
        EVENT_TYPE_CODE["purchase"],
    )
    touched = lately.of_event_types(np.array(event_types, np.int8))
    backwards = touched.items[::-1]
    items, last = np.unique(backwards, return_index=True)
    in_cart: IntArray = items[touched.event_types[::-1][last] == EVENT_TYPE_CODE["add_to_cart"]]
    return in_cart
