"""Association rules: pairs of items that stand in one basket more often than chance would have it.

Shapes: N items, B baskets, P pairs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.core.compiled import compiled
from features.histories import IntArray, TimeArray
from features.profiles.significance import discoveries, log_p_values
from features.profiles.transactions import Transactions

MIN_TOGETHER: Final = 3
"""Baskets that hold both items of a pair, at least."""

MIN_USERS: Final = 2
"""Users whose baskets these are, at least: the test takes baskets for independent, and what one user always
buys is no rule for others."""

FALSE_DISCOVERY_RATE: Final = 0.05
"""The share of the rules that may be chance, on average."""

MAX_PAIRS: Final = 20_000_000
"""Pairs held at once, about half a gigabyte. Where more pass, those in fewer baskets are left out."""


@dataclass(frozen=True)
class Pairs:
    """Pairs of items in one basket, each once, left below right; in order of left and right."""

    left: IntArray
    """(P,)"""
    right: IntArray
    """(P,)"""
    together: IntArray
    """(P,) baskets that hold both"""
    log_p: NDArray[np.float64]
    """(P,) see `log_p_value`"""
    counts: TimeArray
    """(N,) baskets that hold each item"""
    num_baskets: int
    min_together: int
    """Baskets of a pair, at least"""

    def __len__(self) -> int:
        return len(self.left)

    def take(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> Pairs:
        """Some of the pairs."""
        return replace(
            self,
            left=self.left[which],
            right=self.right[which],
            together=self.together[which],
            log_p=self.log_p[which],
        )

    @property
    def support(self) -> NDArray[np.float64]:
        """(P,) the share of all baskets that hold both."""
        return self.together / max(self.num_baskets, 1)

    @property
    def confidence(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(P,) the share of the left item's baskets that hold the right one, and the other way."""
        return self.together / self.counts[self.left], self.together / self.counts[self.right]

    @property
    def lift(self) -> NDArray[np.float64]:
        """(P,) how many times as often they stand together as items that have nothing to do with each
        other."""
        expected = self.counts[self.left] * self.counts[self.right] / max(self.num_baskets, 1)
        return self.together / expected


def associated_pairs(
    baskets: Transactions,
    *,
    min_together: int = MIN_TOGETHER,
    min_users: int = MIN_USERS,
    false_discovery_rate: float = FALSE_DISCOVERY_RATE,
) -> Pairs:
    """The pairs with a lift above 1 that pass the significance floor.

    The p-value is Fisher's exact one: most pairs are expected in far less than one basket, where the
    chi-square approximations (also that of the log-likelihood ratio) do not hold. The floor is Benjamini and
    Hochberg's over every pair of items that could have been found, so that a larger catalogue does not give
    more chance pairs.
    """
    counts = baskets.counts
    found = frequent_pairs(
        baskets, min_together=min_together, min_users=min_users, max_log_p=float(np.log(false_discovery_rate))
    )
    num_frequent = float(np.count_nonzero(counts >= found.min_together))
    num_tests = max(num_frequent * (num_frequent - 1) / 2, 1.0)
    return found.take(
        discoveries(found.log_p, num_tests=num_tests, false_discovery_rate=false_discovery_rate)
    )


def frequent_pairs(
    baskets: Transactions, *, min_together: int, min_users: int = 1, max_log_p: float = np.inf
) -> Pairs:
    """The pairs in at least `min_together` baskets of at least `min_users`, with a p-value of at most
    exp(`max_log_p`). Where more than `MAX_PAIRS` pass, `min_together` is doubled until they do not."""
    counts = baskets.counts
    item_offsets, item_sets = baskets.by_item()
    number, num_users = (np.zeros(baskets.num_items, np.int32) for _ in range(2))
    last_user = np.full(baskets.num_items, -1, np.int32)
    found, size = [(0, np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0))], 0
    for item in np.flatnonzero(counts >= min_together).tolist():
        sets = item_sets[item_offsets[item] : item_offsets[item + 1]]
        others = _count_above(
            item, sets, baskets.items, baskets.offsets, baskets.users, number, num_users, last_user
        )
        is_frequent = (number[others] >= min_together) & (num_users[others] >= min_users)
        kept = np.sort(others[is_frequent])
        log_p = log_p_values(number[kept], counts[item], counts[kept], len(baskets))
        passes = log_p <= max_log_p
        found.append((item, kept[passes], number[kept][passes], log_p[passes]))
        number[others], num_users[others], last_user[others] = 0, 0, -1
        size += int(passes.sum())
        if size > MAX_PAIRS:
            return frequent_pairs(
                baskets, min_together=2 * min_together, min_users=min_users, max_log_p=max_log_p
            )
    items, right, together, log_ps = zip(*found, strict=True)
    left = np.repeat(np.array(items, np.int32), [len(one) for one in right])
    return Pairs(
        left,
        np.concatenate(right),
        np.concatenate(together),
        np.concatenate(log_ps),
        counts,
        len(baskets),
        min_together,
    )


@compiled
def _count_above(
    item: int,
    sets: IntArray,
    items: IntArray,
    offsets: TimeArray,
    users: IntArray,
    number: IntArray,
    num_users: IntArray,
    last_user: IntArray,
) -> IntArray:
    """The items above `item` in its `sets`, in no order. `number` (N,) has the sets with both, and
    `num_users` (N,) their users; before, they are zeros, and `last_user` (N,) is -1."""
    touched, num_touched = np.empty(len(number), np.int32), 0
    for basket in sets:
        for at in range(offsets[basket + 1] - 1, offsets[basket] - 1, -1):
            other = items[at]
            if other <= item:
                break
            if number[other] == 0:
                touched[num_touched] = other
                num_touched += 1
            number[other] += 1
            if last_user[other] != users[basket]:
                last_user[other] = users[basket]
                num_users[other] += 1
    return touched[:num_touched].copy()
