"""What is bought, or looked at, together: sets of items. Shapes: B sets, M items of all sets, N items of the
catalogue, E events.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from features.core.columns import EVENT_TYPE_CODE
from features.histories import History, IntArray, TimeArray
from features.interactions import Interactions
from features.profiles.item_neighbours import MAX_BASKET
from features.sessions import session_numbers

_PURCHASE: Final = EVENT_TYPE_CODE["purchase"]


@dataclass(frozen=True)
class Transactions:
    """Sets of distinct items, each of one user. Those of more than `MAX_BASKET` items are left out: they say
    nothing about what goes together, and their pairs are the square of their size."""

    items: IntArray
    """(M,) ascending within a set"""
    offsets: TimeArray
    """(B + 1,) the items of set b are offsets[b]:offsets[b + 1]"""
    users: IntArray
    """(B,) ascending"""
    num_items: int

    def __len__(self) -> int:
        return len(self.users)

    @classmethod
    def of(cls, groups: NDArray[Any], users: IntArray, items: IntArray, *, num_items: int) -> Self:
        """The sets that `groups` (E,) numbers, of the `items` (E,) of `users` (E,)."""
        order = np.lexsort((items, groups, users))
        groups, users, items = groups[order], users[order], items[order]
        is_first = np.ones(len(order), bool)
        is_first[1:] = (np.diff(users) != 0) | (np.diff(groups) != 0)
        is_new = is_first.copy()
        is_new[1:] |= np.diff(items) != 0
        users, items, is_first = users[is_new], items[is_new], is_first[is_new]
        starts = np.flatnonzero(is_first)
        sizes = np.diff(starts, append=len(items))
        kept = sizes <= MAX_BASKET
        offsets = np.concatenate([[0], np.cumsum(sizes[kept])]).astype(np.int64)
        return cls(
            items=items[np.repeat(kept, sizes)].astype(np.int32),
            offsets=offsets,
            users=users[starts[kept]].astype(np.int32),
            num_items=num_items,
        )

    @property
    def counts(self) -> TimeArray:
        """(N,) how many of the sets hold each item."""
        return np.bincount(self.items, minlength=self.num_items).astype(np.int64)

    def by_item(self) -> tuple[TimeArray, IntArray]:
        """The sets of each item, ascending: offsets (N + 1,) and sets (M,)."""
        sets = np.repeat(np.arange(len(self), dtype=np.int32), np.diff(self.offsets))
        order = np.argsort(self.items, kind="stable")
        return np.concatenate([[0], np.cumsum(self.counts)]).astype(np.int64), sets[order]


def baskets(interactions: Interactions) -> Transactions:
    """What was bought together and not brought back: the purchases of one session, or of one transaction
    where there are no times. Where purchases are no targets, whatever is one."""
    users, events = interactions.users, interactions.events
    if (events.event_types == _PURCHASE).any():
        is_purchase = events.event_types == _PURCHASE
        users, events = users[is_purchase], events.take(is_purchase)
    return _grouped(users, events, interactions)


def sessions(interactions: Interactions) -> Transactions:
    """What was looked at in one session, whether it was bought or not; without times there are none."""
    users, events = interactions.looked_at()
    if not interactions.has_times:
        users, events = users[:0], events.take(slice(0, 0))
    return _grouped(users, events, interactions)


def _grouped(users: IntArray, events: History, interactions: Interactions) -> Transactions:
    if interactions.has_times:
        events = replace(events, baskets=session_numbers(users, events))
    return Transactions.of(events.baskets, users, events.items, num_items=interactions.num_items)
