"""Learns to say how probable it is that a user buys one of their items within the next days.

Logistic regression on `DUE_COLUMNS` of the pairs of users and items at some moments of the past. It starts
from the Poisson-gamma's probability and moves from there as far as the data tell. Shapes: E events, P pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.core.columns import MICROSECONDS_PER_DAY
from features.histories import IntArray, TimeArray
from features.profiles.due_columns import DUE_COLUMNS, POISSON_GAMMA, due_columns
from features.profiles.item_intervals import item_intervals
from features.profiles.purchase_rhythm import PurchaseRhythm, decayed, purchase_rhythm

NUM_MOMENTS: Final = 4
"""The model is fitted on as many windows before `as_of`, where they are no more than half of the data."""
MAX_USERS: Final = 20_000
MAX_PAIRS: Final = 125_000
"""A moment. Both are drawn with a fixed seed."""

_MAX_STEPS, _TOLERANCE = 30, 1e-6


@dataclass(frozen=True)
class Purchases:
    """Purchases of all users, by user and time."""

    users: IntArray
    """(E,)"""
    items: IntArray
    """(E,)"""
    times: TimeArray
    """(E,) microseconds"""
    categories: IntArray
    """(N,) of the items, -1 without one"""

    @property
    def num_items(self) -> int:
        """In the catalogue."""
        return len(self.categories)

    def take(self, which: NDArray[np.bool_]) -> Purchases:
        """Some of the events."""
        return Purchases(self.users[which], self.items[which], self.times[which], self.categories)

    def pairs(self) -> NDArray[np.int64]:
        """(E,) a number for each pair of a user and an item."""
        return self.users.astype(np.int64) * self.num_items + self.items

    def by_pair(self, as_of: int) -> tuple[NDArray[np.int64], PurchaseRhythm]:
        """((P,) the distinct pairs of events before `as_of`, (P,) the rhythm of each)."""
        past = self.take(self.times < as_of)
        pairs, rows = np.unique(past.pairs(), return_inverse=True)
        return pairs, purchase_rhythm(rows, past.times, num_rows=len(pairs), as_of=as_of)

    def item_table(self, as_of: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """What `item_intervals` gives of the events before `as_of`."""
        pairs, rhythm = self.by_pair(as_of)
        items = (pairs % self.num_items).astype(np.int32)
        return item_intervals(items, rhythm, categories=self.categories, num_items=self.num_items)


def fit_due_model(purchases: Purchases, *, as_of: int, days: float) -> NDArray[np.float64]:
    """(F,) the weight of each of `DUE_COLUMNS` in the log-odds of a purchase within `days`.

    What is known of an item at those moments is what was known before the first of them, as it is at
    `as_of` when the answer is wanted.
    """
    prior = np.zeros(len(DUE_COLUMNS))
    prior[POISSON_GAMMA] = 1.0
    moments = _moments(purchases.times, as_of=as_of, days=days)
    if not moments:
        return prior
    table, of_shop = purchases.item_table(moments[0])
    drawn = _drawn_users(purchases)
    examples = [
        _examples(drawn, moment, statistics=table.astype(np.float64) + of_shop, days=days)
        for moment in moments
    ]
    columns, bought = (np.concatenate(parts) for parts in zip(*examples, strict=True))
    return logistic_regression(columns, bought, prior=prior)


def _moments(times: TimeArray, *, as_of: int, days: float) -> list[int]:
    window = int(days * MICROSECONDS_PER_DAY)
    span = as_of - int(times.min(initial=as_of))
    return [as_of - number * window for number in range(NUM_MOMENTS, 0, -1) if number * window <= span / 2]


def _drawn_users(purchases: Purchases) -> Purchases:
    users = np.unique(purchases.users)
    if len(users) <= MAX_USERS:
        return purchases
    drawn = np.random.default_rng(0).choice(users, MAX_USERS, replace=False)
    return purchases.take(np.isin(purchases.users, drawn))


def _examples(
    purchases: Purchases, moment: int, *, statistics: NDArray[np.float64], days: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """((P, F), (P,)): the columns of pairs as of a moment, and whether each was bought in the days after."""
    pairs, rhythm = purchases.by_pair(moment)
    if len(pairs) > MAX_PAIRS:
        kept = np.sort(np.random.default_rng(0).choice(len(pairs), MAX_PAIRS, replace=False))
        pairs, rhythm = pairs[kept], rhythm.take(kept)
    until = moment + int(days * MICROSECONDS_PER_DAY)
    later = purchases.take((purchases.times >= moment) & (purchases.times < until))
    past = purchases.take(purchases.times < moment)
    num_users = int(purchases.users.max(initial=-1)) + 1
    visits = purchase_rhythm(past.users.astype(np.int64), past.times, num_rows=num_users, as_of=moment)
    lately = np.bincount(past.users, weights=decayed(past.times, as_of=moment), minlength=num_users)
    users = pairs // purchases.num_items
    columns = due_columns(
        rhythm,
        visits.take(users),
        lately[users].astype(np.float64),
        statistics[pairs % purchases.num_items],
        days=days,
    )
    return columns, np.isin(pairs, later.pairs())


def logistic_regression(
    columns: NDArray[np.float64], outcomes: NDArray[np.bool_], *, prior: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(F,) weights, drawn to `prior` (F,) by a normal distribution of standard deviation 1; by Newton's
    method with steps that never make it worse."""

    def loss(weights: NDArray[np.float64]) -> float:
        odds = columns @ weights
        fit = np.logaddexp(0, odds).sum() - odds[outcomes].sum()
        return float(fit + 0.5 * ((weights - prior) ** 2).sum())

    weights, present = prior, loss(prior)
    for _ in range(_MAX_STEPS):
        expected = probability(columns @ weights)
        gradient = columns.T @ (expected - outcomes) + weights - prior
        curvature = (columns * (expected * (1 - expected))[:, None]).T @ columns + np.eye(len(weights))
        step, size = np.linalg.solve(curvature, gradient), 1.0
        while (found := loss(weights - size * step)) > present and size > 1e-4:
            size /= 2
        if found > present:
            break
        gained, present, weights = present - found, found, weights - size * step
        if gained < _TOLERANCE * max(present, 1.0):
            break
    return weights


def probability(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """The logistic function."""
    found: NDArray[np.float64] = 0.5 * (1 + np.tanh(log_odds / 2))
    return found
