"""After how long each item is bought again, over all users, drawn to its category and to the shop.

Shapes: P pairs of a user and an item of theirs, N items.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.histories import IntArray
from features.profiles.purchase_rhythm import PurchaseRhythm

STATISTICS: Final = ("interval", "deviation", "rate", "again")
"""interval: natural logarithm of the median days between two purchases of one user (their mean logarithm).
deviation: logarithm of its standard deviation. rate: logarithm of further purchases a buyer and day.
again: log-odds that a buyer buys it again."""

_PRIOR_INTERVALS, _PRIOR_BUYER_DAYS, _PRIOR_BUYERS = 20.0, 1000.0, 10.0
"""Of so many is an item's or a category's prior worth."""
_NOTHING_KNOWN: Final = (30.0, 1.0, 1 / 90, 0.1)
"""A shop in which nobody bought anything again, as if one had: days, deviation, rate, share."""


def item_intervals(
    items: IntArray, rhythm: PurchaseRhythm, *, categories: IntArray, num_items: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """((N, 4), (4,)): the `STATISTICS` of each item less those of the shop, and those of the shop.

    `items` (P,) and `rhythm` (P,) say whose item each pair is about; `categories` (N,) hold codes, -1 without
    one. An item of which nothing is known is as its category is; without one, as the shop is.
    """
    shop = _drawn(np.zeros(len(items), np.int64), rhythm, size=1, prior=_start(), weight=0.1)
    category = categories[items] if len(items) else items
    coded = category >= 0
    size = int(categories.max(initial=0)) + 1
    in_category = _drawn(
        category[coded].astype(np.int64), rhythm.take(np.flatnonzero(coded)), size=size, prior=shop
    )
    prior = np.where(categories[:, None] >= 0, in_category[categories], shop)
    found = _drawn(items.astype(np.int64), rhythm, size=num_items, prior=prior)
    table, of_shop = _in_logarithms(found), _in_logarithms(shop)
    return (table - of_shop).astype(np.float32), of_shop[0].astype(np.float32)


def _start() -> NDArray[np.float64]:
    days, deviation, rate, share = _NOTHING_KNOWN
    return np.array([[np.log(days), deviation**2, rate, share]])


def _drawn(
    codes: NDArray[np.int64],
    rhythm: PurchaseRhythm,
    *,
    size: int,
    prior: NDArray[np.float64],
    weight: float = 1.0,
) -> NDArray[np.float64]:
    """(size, 4): mean logarithm, variance, rate and share of each code, drawn to `prior` (size or 1, 4) as if
    that many observations stood behind it; `weight` times the usual."""

    def total(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(codes, weights=values, minlength=size).astype(np.float64)

    again = np.maximum(rhythm.moments - 1.0, 0)
    intervals, logs, squares = total(again), total(rhythm.log_sum), total(rhythm.log_squares)
    days, buyers = total(rhythm.since_first), total(np.ones(len(codes)))
    repeaters = total((again > 0).astype(np.float64))
    mean, variance, rate, share = prior.T
    drawn = weight * _PRIOR_INTERVALS
    own_mean = (logs + drawn * mean) / (intervals + drawn)
    spread = squares - 2 * own_mean * logs + intervals * own_mean**2
    own_variance = (spread + drawn * (variance + (mean - own_mean) ** 2)) / (intervals + drawn)
    by_days, by_buyers = weight * _PRIOR_BUYER_DAYS, weight * _PRIOR_BUYERS
    return np.stack(
        [
            own_mean,
            own_variance,
            (intervals + by_days * rate) / (days + by_days),
            (repeaters + by_buyers * share) / (buyers + by_buyers),
        ],
        axis=1,
    )


def _in_logarithms(found: NDArray[np.float64]) -> NDArray[np.float64]:
    """`STATISTICS` of what `_drawn` gives."""
    mean, variance, rate, share = found.T
    bounded = np.clip(share, 1e-4, 1 - 1e-4)
    return np.stack(
        [mean, 0.5 * np.log(np.maximum(variance, 0.05)), np.log(rate), np.log(bounded / (1 - bounded))],
        axis=1,
    )
