"""What one person's events say as of a moment: the numbers that candidates are compared with. Made per request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from configs.schema import EventType
from features.columns import KIND, MICROSECONDS_PER_DAY
from features.histories import History, IntArray
from features.repeats import OwnItems, own_items
from features.user_features import UserFeatures, user_features
from features.visits import VISIT_MINUTES
from features.weights import target_weights

CART_DAYS = 1.0
"""What was put into the cart this long ago, and neither removed nor bought since, still lies there."""

VISIT_KINDS = np.array([KIND["select_item"], KIND["view_item"], KIND["add_to_cart"], KIND["add_to_wishlist"]], np.int8)


@dataclass(frozen=True)
class Person:
    """Aggregates of one history before `as_of`."""

    own: OwnItems
    recent_items: IntArray
    """(R,) distinct items of the latest target events, the latest first"""
    visit_items: IntArray
    """(V,) distinct items touched in the present visit, the latest first"""
    cart_items: IntArray
    num_baskets: int
    categories: IntArray
    """(G,) categories bought from, ascending"""
    category_shares: NDArray[np.float32]
    """(G,) share of the weight of the person's target events in each"""
    log_price_mean: float
    """Mean of the natural logarithm of the prices paid; NaN where none is known"""
    log_price_deviation: float
    features: UserFeatures
    """What a user tower reads, too"""


def describe(
    history: History, *, as_of: int, targets: Mapping[EventType, float], item_categories: IntArray,
    half_lives: tuple[float, ...], num_recent: int, profile_kinds: NDArray[np.int8], has_times: bool,
) -> Person:  # fmt: skip
    """Aggregate a history. `item_categories` (N,) holds each item's category code, -1 without one.

    `profile_kinds` and `has_times` are for `user_features`.

    What was bought and brought back by `as_of` counts nowhere but among what was looked at.
    """
    past = history.before(as_of)
    weights = target_weights(None, past, targets)
    counts = weights > 0
    standing, weights = (past, weights) if counts.all() else (past.take(counts), weights[counts])
    categories, group = np.unique(item_categories[standing.items], return_inverse=True)
    shares = np.bincount(group, weights=weights, minlength=len(categories)) / max(float(weights.sum()), 1e-9)
    prices = standing.prices[standing.prices > 0]
    return Person(
        own=own_items(standing, weights=weights, as_of=as_of, half_lives=half_lives),
        recent_items=_latest_distinct(standing.items)[:num_recent],
        visit_items=_visit_items(past, as_of=as_of),
        cart_items=_cart_items(past, as_of=as_of),
        num_baskets=len(np.unique(standing.baskets)),
        categories=categories[categories >= 0],
        category_shares=shares.astype(np.float32)[categories >= 0],
        log_price_mean=float(np.log(prices).mean()) if len(prices) else float("nan"),
        log_price_deviation=float(np.log(prices).std()) if len(prices) else float("nan"),
        features=user_features(
            past, as_of=as_of, profile_kinds=profile_kinds, item_categories=item_categories, has_times=has_times
        ),
    )


def _latest_distinct(items: IntArray) -> IntArray:
    backwards = items[::-1]
    _, first = np.unique(backwards, return_index=True)
    return backwards[np.sort(first)]


def _visit_items(past: History, *, as_of: int) -> IntArray:
    since = as_of - int(VISIT_MINUTES * 60e6)
    visit = past.take(slice(int(np.searchsorted(past.times, since)), None))
    if not len(visit):
        return visit.items
    return _latest_distinct(visit.of_kinds(VISIT_KINDS).items)


def _cart_items(past: History, *, as_of: int) -> IntArray:
    since = as_of - int(CART_DAYS * MICROSECONDS_PER_DAY)
    lately = past.take(slice(int(np.searchsorted(past.times, since)), None))
    if not len(lately):
        return lately.items
    kinds = (KIND["add_to_cart"], KIND["remove_from_cart"], KIND["purchase"])
    touched = lately.of_kinds(np.array(kinds, np.int8))
    backwards = touched.items[::-1]
    items, last = np.unique(backwards, return_index=True)
    in_cart: IntArray = items[touched.kinds[::-1][last] == KIND["add_to_cart"]]
    return in_cart
