"""Diversity: a list that is not the same thing twenty times. Shapes: C ranked items, N items, D width of the
vectors, P items of a pool.

Source: maximal marginal relevance (Carbonell & Goldstein, SIGIR 1998), with a cap for each category.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.histories import IntArray
from serving.recommend.bundle import Bundle

MIN_POOL: Final = 100
POOL_PER_PLACE: Final = 5
"""The places of a page are filled from so many times as many of the best, and from `MIN_POOL` at least."""

LEAST_SHARE: Final = 0.2
"""Of a page, which one category may fill at diversity 1."""


class Diversity:
    """Orders what was ranked so that neighbours in the list are unlike each other."""

    def __init__(self, bundle: Bundle) -> None:
        self._vectors = _item_vectors(bundle)
        self._categories = bundle.item_profiles.category

    def order(self, items: IntArray, *, diversity: float, length: int, page_length: int) -> NDArray[np.intp]:
        """Places in `items` (C,), which come best first, in a new order: page by page, `length` at least;
        what is not reached stays in its order.

        `diversity` (above 0, to 1) weighs unlikeness to what the page has against relevance. Relevance falls
        evenly with the rank: scores of rankers have no common scale, and one item far above the others
        would make all of those the same.
        """
        remaining = np.arange(len(items), dtype=np.intp)
        found: list[NDArray[np.intp]] = []
        while len(remaining) and len(found) * page_length < length:
            pool = remaining[: pool_size(page_length)]
            chosen = self._page(items[pool], diversity=diversity, page_length=page_length)
            found.append(pool[chosen])
            is_left = np.ones(len(remaining), bool)
            is_left[chosen] = False
            remaining = remaining[is_left]
        return np.concatenate([*found, remaining])

    def _page(self, items: IntArray, *, diversity: float, page_length: int) -> NDArray[np.intp]:
        """The best of a pool (P,) for one page, greedily."""
        vectors = None if self._vectors is None else _unit(self._vectors[items])
        categories = np.asarray(self._categories)[items]
        relevance = (1 - diversity) * (1 - np.arange(len(items)) / len(items))
        likeness, is_free = np.zeros(len(items)), np.ones(len(items), bool)
        is_open = is_free.copy()  # of a category that may have more
        cap, taken = category_cap(page_length, diversity=diversity), dict[int, int]()
        chosen: list[int] = []
        while len(chosen) < min(page_length, len(items)):
            may_come = is_free & is_open
            gain = np.where(
                may_come if may_come.any() else is_free, relevance - diversity * likeness, -np.inf
            )
            best = int(gain.argmax())
            chosen.append(best)
            is_free[best] = False
            category = int(categories[best])
            same = categories == category
            if vectors is not None:
                likeness = np.maximum(likeness, vectors @ vectors[best])
            elif category >= 0:
                likeness = np.maximum(likeness, same)
            taken[category] = taken.get(category, 0) + 1
            if category >= 0 and taken[category] == cap:
                is_open &= ~same
        return np.array(chosen, np.intp)


def pool_size(page_length: int) -> int:
    """How many of the best the places of a page are filled from."""
    return max(MIN_POOL, POOL_PER_PLACE * page_length)


def category_cap(page_length: int, *, diversity: float) -> int:
    """How many of one category may be on a page while there are others."""
    share = 1 - diversity * (1 - LEAST_SHARE)
    return max(1, math.ceil(page_length * share - 1e-9))


def _item_vectors(bundle: Bundle) -> NDArray[np.float32] | None:
    """(N, D) the encoder's; None in a bundle without one."""
    return getattr(bundle.retrievers.get("encoder"), "item_vectors", None)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """(P, D) of length 1; zeros stay zeros, and are like nothing."""
    length = np.sqrt(np.einsum("pd,pd->p", vectors, vectors))[:, None]
    unit: NDArray[np.float32] = vectors / np.maximum(length, np.float32(1e-12))
    return unit
