"""Exploration: places of a list that are drawn by lot, so that the shop learns about what nobody has seen.

An item is drawn with a probability proportional to 1 / √(1 + popularity), among all that may be shown and are
not on the list: what is new is shown more often than what everybody has seen. Most draws are reserved for new
arrivals that have no numbers of their own yet (`with_new_share`). The probability of each draw is
known, for inverse propensity scoring (Swaminathan & Joachims, ICML 2015). Shapes: N items.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from features.histories import IntArray


def exploration_weights(popularity: NDArray[np.floating]) -> NDArray[np.float64]:
    """(N,) what an item's probability is proportional to."""
    weights: NDArray[np.float64] = 1 / np.sqrt(1 + np.maximum(popularity, 0).astype(np.float64))
    return weights


def with_new_share(
    weights: NDArray[np.float64], *, is_new: NDArray[np.bool_], allowed: NDArray[np.bool_], share: float
) -> NDArray[np.float64]:
    """(N,) `weights` (N,) with those of the items that `is_new` (N,) marks scaled, so that what is drawn from
    the `allowed` ones is one of them with the probability `share`. As they are where `share` is 0, and where
    no item is new or all are: then there is nothing to divide."""
    new, rest = (float(weights[which & allowed].sum()) for which in (is_new, ~is_new))
    if not (share and new and rest):
        return weights
    return np.where(is_new, weights * (share / (1 - share) * rest / new), weights)


def seed_of(recommendation_id: str) -> int:
    """What a list draws with: the first 16 hexadecimal digits of its id."""
    return int(recommendation_id[:16], 16)


class Explorer:
    """Draws items without replacement, the same for the same seed.

    Each allowed item gets an exponential arrival time with its weight as the rate. In the order of arrival
    the items are a draw without replacement, and whatever leaves the pool meanwhile does not change the odds
    of the rest.
    """

    def __init__(
        self, weights: NDArray[np.float64], *, allowed: NDArray[np.bool_], seed: int, depth: int
    ) -> None:
        """`allowed` (N,): what may be drawn. `depth`: how many items are drawn or leave the pool, at most."""
        self._weights = np.where(allowed, weights, 0)
        items = np.flatnonzero(allowed).astype(np.int32)
        arrival = np.random.default_rng(seed).standard_exponential(len(items)) / weights[items]
        if len(items) > depth:
            first = np.argpartition(arrival, depth - 1)[:depth]
            items, arrival = items[first], arrival[first]
        self._items: IntArray = items[np.argsort(arrival, kind="stable")]
        self._next = 0
        self._left = float(self._weights.sum())
        self._gone: set[int] = set()

    def leave(self, items: Iterable[int]) -> None:
        """These cannot be drawn any more: they are on the list."""
        for item in items:
            if item not in self._gone:
                self._gone.add(item)
                self._left -= float(self._weights[item])

    def draw(self, count: int) -> list[tuple[int, float]]:
        """(item, probability with which it was drawn, given the draws and the list before it), at most
        `count`; they leave the pool."""
        drawn: list[tuple[int, float]] = []
        while len(drawn) < count and self._next < len(self._items):
            item = int(self._items[self._next])
            self._next += 1
            if item not in self._gone:
                drawn.append((item, min(1.0, float(self._weights[item]) / self._left)))
                self.leave([item])
        return drawn
