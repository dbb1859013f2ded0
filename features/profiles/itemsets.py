"""Itemsets of three: what stands in one basket, beyond what its pairs say.

Shapes: N items, P pairs, T triples.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.core.compiled import compiled
from features.histories import IntArray, TimeArray
from features.profiles.association_rules import FALSE_DISCOVERY_RATE, MIN_TOGETHER, Pairs
from features.profiles.significance import discoveries, log_p_value
from features.profiles.transactions import Transactions

MAX_PARTNERS: Final = 2000
"""Items that are counted with an item and a third one, at most: those in the most baskets with it. Their
counts are a square, of 16 MB."""

MAX_TRIPLES: Final = 5_000_000
"""Triples held at once. Where more pass, those in fewer baskets are left out."""


@dataclass(frozen=True)
class Triples:
    """Sets of three items in one basket, each once."""

    items: IntArray
    """(T, 3) ascending within a set"""
    together: IntArray
    """(T,) baskets that hold all three"""
    pairs: IntArray
    """(T, 3) baskets that hold the two others than the first, the second and the third item"""
    log_p: NDArray[np.float64]
    """(T,) see `associated_triples`"""
    counts: TimeArray
    """(N,) baskets that hold each item"""
    num_baskets: int
    num_tested: int
    """How many sets were counted"""

    def __len__(self) -> int:
        return len(self.items)

    def take(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> Triples:
        """Some of the triples."""
        return replace(
            self,
            items=self.items[which],
            together=self.together[which],
            pairs=self.pairs[which],
            log_p=self.log_p[which],
        )

    @property
    def support(self) -> NDArray[np.float64]:
        """(T,) the share of all baskets that hold all three."""
        return self.together / max(self.num_baskets, 1)

    @property
    def confidence(self) -> NDArray[np.float64]:
        """(T, 3) the share of the baskets with the two others that hold the first, second and third item."""
        return self.together[:, None] / self.pairs

    @property
    def lift(self) -> NDArray[np.float64]:
        """(T,) how many times as often they stand together as items that have nothing to do with each
        other."""
        shares = self.counts[self.items] / max(self.num_baskets, 1)
        found: NDArray[np.float64] = self.support / shares.prod(axis=1)
        return found


def associated_triples(
    baskets: Transactions, pairs: Pairs, *, false_discovery_rate: float = FALSE_DISCOVERY_RATE
) -> Triples:
    """The triples whose three `pairs` are rules, and of which each item stands with the two others more often
    than chance would have it: the largest of those three p-values (Fisher's exact test) passes Benjamini and
    Hochberg's floor over the triples that were counted."""
    found = frequent_triples(baskets, pairs, min_together=pairs.min_together)
    significant = discoveries(
        found.log_p, num_tests=max(found.num_tested, 1), false_discovery_rate=false_discovery_rate
    )
    return found.take(significant)


def frequent_triples(baskets: Transactions, pairs: Pairs, *, min_together: int = MIN_TOGETHER) -> Triples:
    """The triples in at least `min_together` baskets whose three pairs are among `pairs`: with every frequent
    pair, every frequent triple (Agrawal & Srikant 1994). Where more than `MAX_TRIPLES` pass, `min_together`
    is doubled until they do not."""
    item_offsets, item_sets = baskets.by_item()
    starts = np.searchsorted(pairs.left, np.arange(baskets.num_items + 1))
    place_of = np.full(baskets.num_items, -1, np.int32)
    found, size, num_tested = [np.empty((0, 7), np.int32)], 0, 0
    for first in np.flatnonzero(np.diff(starts) > 1).tolist():
        which = slice(starts[first], starts[first + 1])
        partners, with_first = _most_frequent(pairs.right[which], pairs.together[which])
        place_of[partners] = np.arange(len(partners))
        sets = item_sets[item_offsets[first] : item_offsets[first + 1]]
        square = _counted(sets, baskets.items, baskets.offsets, place_of, len(partners))
        closed, tested = _closed(
            first, partners, with_first, place_of, square, starts, pairs.right, pairs.together, min_together
        )
        place_of[partners] = -1
        found.append(closed)
        num_tested += tested
        size += len(closed)
        if size > MAX_TRIPLES:
            return frequent_triples(baskets, pairs, min_together=2 * min_together)
    rows = np.concatenate(found)
    items, of_pairs, together = rows[:, :3], rows[:, 3:6], rows[:, 6]
    log_p = _largest_log_p(together, of_pairs, pairs.counts[items], len(baskets))
    return Triples(items, together, of_pairs, log_p, pairs.counts, len(baskets), num_tested)


def _most_frequent(partners: IntArray, together: IntArray) -> tuple[IntArray, IntArray]:
    """The `MAX_PARTNERS` that stand with an item in the most baskets, ascending."""
    kept = np.sort(np.argsort(-together, kind="stable")[:MAX_PARTNERS])
    return partners[kept], together[kept]


@compiled
def _counted(
    sets: IntArray, items: IntArray, offsets: TimeArray, place_of: IntArray, num_places: int
) -> IntArray:
    """How many of the `sets` hold each two of the items that have a place; above the diagonal."""
    square = np.zeros((num_places, num_places), np.int32)
    inside = np.empty(num_places, np.int32)
    for basket in sets:
        num_inside = 0
        for at in range(offsets[basket], offsets[basket + 1]):
            place = place_of[items[at]]
            if place >= 0:
                inside[num_inside] = place
                num_inside += 1
        for one in range(num_inside):
            for other in range(one + 1, num_inside):
                square[inside[one], inside[other]] += 1
    return square


@compiled
def _closed(
    first: int,
    partners: IntArray,
    with_first: IntArray,
    place_of: IntArray,
    square: IntArray,
    starts: NDArray[np.intp],
    right: IntArray,
    together: IntArray,
    min_together: int,
) -> tuple[IntArray, int]:
    """The triples of `first` and two of its `partners` that are a pair themselves: rows of three items, the
    baskets of the pairs without the first, second and third, and those of all three. And how many there
    were before `min_together`."""
    rows, size, tested = np.empty((16, 7), np.int32), 0, 0
    for place in range(len(partners)):
        second = partners[place]
        for at in range(starts[second], starts[second + 1]):
            other = place_of[right[at]]
            if other < 0:
                continue
            tested += 1
            if square[place, other] < min_together:
                continue
            if size == len(rows):
                longer = np.empty((2 * size, 7), np.int32)
                longer[:size] = rows
                rows = longer
            rows[size, 0], rows[size, 1], rows[size, 2] = first, second, right[at]
            rows[size, 3], rows[size, 4], rows[size, 5] = together[at], with_first[other], with_first[place]
            rows[size, 6] = square[place, other]
            size += 1
    return rows[:size], tested


@compiled
def _largest_log_p(
    together: IntArray, of_pairs: IntArray, counts: TimeArray, num_sets: int
) -> NDArray[np.float64]:
    """(T,) the largest of three: each item with the two others. `of_pairs` and `counts` are (T, 3)."""
    found = np.full(len(together), -np.inf)
    for row in range(len(together)):
        for one in range(3):
            log_p = log_p_value(together[row], of_pairs[row, one], counts[row, one], num_sets)
            found[row] = max(found[row], log_p)
    return found
