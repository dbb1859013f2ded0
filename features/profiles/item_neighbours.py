"""Item-to-item co-occurrence: in one basket, or in one basket and the same user's next.

Shapes: E events, N items, K neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from features.core.columns import MICROSECONDS_PER_DAY
from features.core.compiled import compiled
from features.histories import History, IntArray, TimeArray
from features.profiles.summed_by_code import summed_by_code

SHRINKAGE = 10.0
"""Added to the denominator of the cosine, so that pairs with few baskets do not head the table."""

MIN_TOGETHER = 2
"""A pair in a single basket is chance, and in a long tail of items most pairs are such: they are left out."""

PAIRS_AT_ONCE = 20_000_000
"""Pairs of a basket's items counted in one step: bounds the memory of the pair counts to about half a
gigabyte."""

MAX_BASKET = 1000
"""Distinct items. A larger basket (a delivery to a canteen, an import without transaction ids) says nothing
about what goes together, and its pairs are the square of its size: it is left out."""


@dataclass(frozen=True)
class Neighbours:
    """The items that go best with each item, best first."""

    items: IntArray
    """(N, K) item indices, -1 where there are fewer"""
    scores: NDArray[np.float32]
    """(N, K) shrunk cosine of the two items' baskets, between 0 and 1; 0 where there are fewer"""


def basket_neighbours(targets: History, *, num_items: int, as_of: int, num_neighbours: int) -> Neighbours:
    """Items bought in one basket, over everyone's target events before `as_of`.

    Baskets of more than `MAX_BASKET` distinct items do not count.

    Source: cosine of item columns (Sarwar et al. 2001, doi:10.1145/371920.372071), shrunk as in Bell & Koren
    2007.
    """
    past = targets.times < as_of
    baskets, group = np.unique(targets.baskets[past], return_inverse=True)
    incidence = _incidence(group, targets.items[past], shape=(len(baskets), num_items))
    incidence = incidence[_is_basket(incidence)]
    return _neighbours(incidence, incidence, num_neighbours=num_neighbours)


def next_neighbours(
    users: IntArray, targets: History, *, num_items: int, as_of: int, num_neighbours: int, days: float
) -> Neighbours:
    """Items of a user's next basket, at most `days` after the one that holds the item. `users` (E) says
    whose each is.

    A basket of more than `MAX_BASKET` distinct items neither has a next one nor is it one.
    """
    past = targets.times < as_of
    baskets, first, group = np.unique(targets.baskets[past], return_index=True, return_inverse=True)
    times, owners = targets.times[past][first], users[past][first]
    follower = _next_basket(owners, times, within=int(days * MICROSECONDS_PER_DAY))
    incidence = _incidence(group, targets.items[past], shape=(len(baskets), num_items))
    is_basket = _is_basket(incidence)
    has_next = (follower >= 0) & is_basket & is_basket[follower]
    return _neighbours(incidence[has_next], incidence[follower[has_next]], num_neighbours=num_neighbours)


def _incidence(rows: NDArray[np.intp], items: IntArray, *, shape: tuple[int, int]) -> sparse.csr_array:
    incidence = sparse.csr_array((np.ones(len(rows), np.float32), (rows, items)), shape=shape)
    incidence.data[:] = 1.0  # an item twice in a basket counts once
    return incidence


def _is_basket(incidence: sparse.csr_array) -> NDArray[np.bool_]:
    """Which baskets are small enough to count."""
    small: NDArray[np.bool_] = np.diff(incidence.indptr) <= MAX_BASKET
    return small


def _blocks(left: sparse.csr_array, right: sparse.csr_array) -> Iterator[tuple[int, int]]:
    """Ranges of items with at most `PAIRS_AT_ONCE` pairs each, or one item."""
    pairs = np.cumsum(left.T @ np.diff(right.indptr).astype(np.float64))
    start = 0
    while start < len(pairs):
        counted = pairs[start - 1] if start else 0.0
        end = max(int(np.searchsorted(pairs, counted + PAIRS_AT_ONCE, side="right")), start + 1)
        yield start, end
        start = end


def _next_basket(owners: IntArray, times: TimeArray, *, within: int) -> NDArray[np.intp]:
    """For each basket the index of its owner's next one, -1 where there is none within the time."""
    order = np.lexsort((times, owners))
    follower = np.full(len(order), -1, np.intp)
    same_owner = owners[order][:-1] == owners[order][1:]
    close = times[order][1:] - times[order][:-1] <= within
    follower[order[:-1][same_owner & close]] = order[1:][same_owner & close]
    return follower


def _neighbours(left: sparse.csr_array, right: sparse.csr_array, *, num_neighbours: int) -> Neighbours:
    """Top neighbours by count(i, j) / (sqrt(count(i) count(j)) + SHRINKAGE), row block by row block."""
    num_items = left.shape[1]
    items = np.full((num_items, num_neighbours), -1, np.int32)
    scores = np.zeros((num_items, num_neighbours), np.float32)
    left_norm = np.sqrt(np.asarray(left.sum(axis=0)).ravel())
    right_norm = np.sqrt(np.asarray(right.sum(axis=0)).ravel())
    by_item = left.T.tocsr()
    for start, end in _blocks(left, right):
        block = (by_item[start:end] @ right).tocoo()
        row, column = block.coords
        keep = ((row + start) != column) & (block.data >= MIN_TOGETHER)
        row, column, count = row[keep], column[keep], block.data[keep]
        score = count / (left_norm[row + start] * right_norm[column] + SHRINKAGE)
        order = np.lexsort((column, -score, row))
        row, column, score = row[order], column[order], score[order]
        place = np.arange(len(row)) - np.searchsorted(row, row)
        kept = place < num_neighbours
        items[row[kept] + start, place[kept]] = column[kept]
        scores[row[kept] + start, place[kept]] = score[kept]
    return Neighbours(items=items, scores=scores)


def sum_neighbours(neighbours: Neighbours, of: IntArray) -> tuple[IntArray, NDArray[np.float32]]:
    """The neighbours of the items `of` (M,), summed; a later place in `of` weighs a little less.

    Returns (distinct items ascending, their sums).
    """
    weights = (1.0 / np.sqrt(1.0 + np.arange(len(of)) / 10.0)).astype(np.float32)
    return weighted_neighbours(neighbours, of, weights)


def weighted_neighbours(
    neighbours: Neighbours, of: IntArray, weights: NDArray[np.float32]
) -> tuple[IntArray, NDArray[np.float32]]:
    """Sum the neighbours of the items `of` (M,), each list times its weight (M,): (distinct items ascending,
    their sums)."""
    return _summed(neighbours.items, neighbours.scores, of, weights)


@compiled
def _summed(
    near: IntArray, scores: NDArray[np.float32], of: IntArray, weights: NDArray[np.float32]
) -> tuple[IntArray, NDArray[np.float32]]:
    """`weighted_neighbours` of the table's two arrays (N, K)."""
    width = near.shape[1]
    codes, sums = np.empty(len(of) * width, np.int32), np.empty(len(of) * width, np.float32)
    for place in range(len(of)):
        for column in range(width):
            codes[place * width + column] = near[of[place], column]
            sums[place * width + column] = scores[of[place], column] * weights[place]
    return summed_by_code(codes, sums)


def closest(items: IntArray, *, among: IntArray, neighbours: Neighbours) -> dict[int, int]:
    """Item → the item of `among` (A,) that goes best with it, the earlier of equals; without those that go
    with none of them."""
    if not len(among) or not len(items):
        return {}
    best = _closest(items, among, neighbours.items, neighbours.scores)
    return {
        item: int(among[place])
        for item, place in zip(items.tolist(), best.tolist(), strict=True)
        if place >= 0
    }


@compiled
def _closest(
    items: IntArray, among: IntArray, near: IntArray, scores: NDArray[np.float32]
) -> NDArray[np.intp]:
    """The place in `among` of what goes best with each of `items`; -1 for nothing."""
    order = np.argsort(items)
    ordered = items[order]
    best, best_score = np.full(len(items), -1), np.zeros(len(items), np.float32)
    for place in range(len(among)):
        for column in range(near.shape[1]):
            other, score = near[among[place], column], scores[among[place], column]
            at = np.searchsorted(ordered, other)
            if other >= 0 and at < len(ordered) and ordered[at] == other and score > best_score[order[at]]:
                best[order[at]], best_score[order[at]] = place, score
    return best


@compiled
def insert_best(items: IntArray, scores: NDArray[np.float32], item: int, score: float) -> None:
    """Put an item in its place among the best (K,) so far, the lower index of equals first."""
    at = len(items)
    while at > 0 and (
        scores[at - 1] < score or (scores[at - 1] == score and (items[at - 1] < 0 or items[at - 1] > item))
    ):
        at -= 1
    for place in range(len(items) - 1, at, -1):
        items[place], scores[place] = items[place - 1], scores[place - 1]
    if at < len(items):
        items[at], scores[at] = item, score
