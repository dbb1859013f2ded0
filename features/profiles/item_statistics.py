"""What the shop's events say of each item as of a moment, fit for a network: one table that serving looks up.
Shapes: E events, N items."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from features.core.columns import MICROSECONDS_PER_DAY
from features.histories import History, IntArray
from features.profiles.item_popularity import popularity

SHARES: Final = (0.125, 0.25, 0.5, 2.0, 4.0)
"""Stretches of time before the moment, in recent windows (`retrievers.popularity_days`)."""

ITEM_STATISTICS: Final = (
    "popularity_eighth",
    "popularity_quarter",
    "popularity_half",
    "popularity_two",
    "popularity_four",
    "buyers",
    "first_buyers",
    "return_rate",
    "category_return_rate",
    "category_popularity",
    "share_in_category",
    "parent_popularity",
    "deal_quarter",
    "deal_window",
    "log_price",
)
"""The columns of the table. popularity_*: weights in `SHARES` of the recent window. buyers: users of that
window. first_buyers: users who had the item for the first time in one of the last `NUM_WINDOWS` windows.
return_rate: of those who had it in a window of the past, the share who had it in the next. category_*,
parent_*: the same of the item's category and of the one above it. deal_*: how far the price lies below what
it was over all time, as a logarithm."""

NUM_WINDOWS: Final = 4
"""Windows before the moment that the return rate is learnt from and first buyers are counted in; for the
return rate, who had the item in as many before each of them counts."""

PRIOR: Final = 10.0
"""A rate counts as if this many average users stood behind it."""


def item_statistics(
    users: IntArray,
    events: History,
    *,
    weights: NDArray[np.float32],
    categories: IntArray,
    parents: IntArray,
    as_of: int,
    days: float | None,
) -> NDArray[np.float32]:
    """(N, F) the columns `ITEM_STATISTICS`, of everyone's target events (E) before `as_of`.

    `users` (E) says whose each is; `categories` and `parents` (N,) are codes, -1 for none. `days` is the
    length of the recent window; None, on an ordinal clock, leaves out all that needs a time: then every
    stretch is all of the past.
    """
    past = events.times < as_of
    users, events, weights = users[past], events.take(past), weights[past]
    num_items = len(categories)

    def popular(share: float) -> NDArray[np.float32]:
        stretch = None if days is None else share * days
        return popularity(events, weights=weights, num_items=num_items, as_of=as_of, days=stretch)

    recent = popular(1.0)
    of_category, of_parent = _by_code(recent, categories), _by_code(recent, parents)
    known = events.prices > 0
    columns: dict[str, NDArray[Any]] = {
        **{name: np.log1p(popular(share)) for name, share in zip(ITEM_STATISTICS, SHARES, strict=False)},
        **_returns(users, events, categories=categories, as_of=as_of, days=days),
        "category_popularity": np.log1p(of_category),
        "share_in_category": recent / np.maximum(of_category, 1e-6),
        "parent_popularity": np.log1p(of_parent),
        **_prices(events.take(known), num_items=num_items, as_of=as_of, days=days),
    }
    return np.stack([columns[name] for name in ITEM_STATISTICS], axis=1).astype(np.float32)


def columns_of(
    statistics: NDArray[np.float32], items: IntArray, *, names: Sequence[str]
) -> dict[str, NDArray[np.float32]]:
    """Some columns of the table (N, F), of some items (C,): name → (C,)."""
    rows = statistics.take(items, axis=0)
    return {name: rows[:, ITEM_STATISTICS.index(name)] for name in names}


def _by_code(values: NDArray[np.floating[Any]], codes: IntArray) -> NDArray[np.float64]:
    """(N,) the sum of the values over each item's code; items without one share theirs."""
    sums = np.bincount(codes + 1, weights=values.astype(np.float64), minlength=1).astype(np.float64)
    return sums[codes + 1]


def _returns(
    users: IntArray, events: History, *, categories: IntArray, as_of: int, days: float | None
) -> dict[str, NDArray[np.float64]]:
    """Users by item: those of the recent window, those new in the last `NUM_WINDOWS`, and how many come back
    from one window to the next."""
    num_items = len(categories)
    pair = users.astype(np.int64) * num_items + events.items
    if days is None:
        users_of_item = np.bincount(np.unique(pair) % max(num_items, 1), minlength=num_items).astype(float)
        nothing = np.zeros(num_items)
        return {
            "buyers": np.log1p(users_of_item),
            "first_buyers": nothing,
            "return_rate": nothing,
            "category_return_rate": nothing,
        }
    window = (as_of - 1 - events.times) // int(days * MICROSECONDS_PER_DAY)
    counts = np.zeros((4, num_items))
    for number in range(NUM_WINDOWS):
        now = np.unique(pair[window == number])
        before = np.unique(pair[window > number])
        had = np.unique(pair[(window > number) & (window <= number + NUM_WINDOWS)])
        again = now[np.isin(now, had, assume_unique=True)]
        fresh = now[~np.isin(now, before, assume_unique=True)]
        for row, found in enumerate((had, again, fresh) if number else (had, again, fresh, now)):
            counts[row] += np.bincount(found % num_items, minlength=num_items)
    had_it, came_back, new, users_of_item = counts
    mean = came_back.sum() / max(had_it.sum(), 1.0)
    of_category = (_by_code(came_back, categories) + PRIOR * mean) / (_by_code(had_it, categories) + PRIOR)
    rate = (came_back + PRIOR * of_category) / (had_it + PRIOR)
    return {
        "buyers": np.log1p(users_of_item),
        "first_buyers": np.log1p(new),
        "return_rate": rate,
        "category_return_rate": of_category,
    }


def _prices(
    priced: History, *, num_items: int, as_of: int, days: float | None
) -> dict[str, NDArray[np.float64]]:
    def mean(which: NDArray[np.bool_]) -> NDArray[np.float64]:
        count = np.bincount(priced.items[which], minlength=num_items)
        total = np.bincount(priced.items[which], weights=priced.prices[which], minlength=num_items)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)

    ages = (as_of - priced.times) / MICROSECONDS_PER_DAY
    usual = mean(np.ones(len(priced), bool))
    lately = [usual if days is None else mean(ages <= share * days) for share in (0.25, 1.0)]
    deal_quarter, deal_window = (np.nan_to_num(np.log(usual / one)) for one in lately)
    return {
        "deal_quarter": deal_quarter,
        "deal_window": deal_window,
        "log_price": np.nan_to_num(np.log(usual)),
    }
