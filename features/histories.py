"""A user's history, and what the encoder reads of it: one implementation for training and serving.

Legend of shapes: n events of one user, oldest first; L positions given to the encoder.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.settings.encoder import HistoryOrder

IntArray = NDArray[np.int32]
TimeArray = NDArray[np.int64]


@dataclass(frozen=True)
class History:
    """One user's item events, oldest first. Items are catalogue indices, never raw ids."""

    items: IntArray
    """(n,) index of each event's item."""
    event_types: NDArray[np.int8]
    """(n,) event type code, see `columns.EVENT_TYPE_CODE`."""
    times: TimeArray
    """(n,) microseconds since 1970 UTC."""
    baskets: TimeArray
    """(n,) events of one transaction share a number, which means nothing across users."""
    prices: NDArray[np.float32]
    """(n,) price of one unit in the shop's currency; NaN where unknown."""

    def __len__(self) -> int:
        return len(self.items)

    @classmethod
    def empty(cls) -> History:
        """The history of an unknown user."""
        return cls(
            items=np.empty(0, np.int32),
            event_types=np.empty(0, np.int8),
            times=np.empty(0, np.int64),
            baskets=np.empty(0, np.int64),
            prices=np.empty(0, np.float32),
        )

    def take(self, which: NDArray[np.bool_] | NDArray[np.intp] | slice) -> History:
        """The events selected by a mask, indices or a slice, in that order."""
        return History(
            items=self.items[which],
            event_types=self.event_types[which],
            times=self.times[which],
            baskets=self.baskets[which],
            prices=self.prices[which],
        )

    def before(self, as_of: int) -> History:
        """The events strictly before `as_of` (microseconds)."""
        return self.take(slice(0, int(np.searchsorted(self.times, as_of, side="left"))))

    def of_event_types(self, event_types: NDArray[np.int8]) -> History:
        """The events whose type is one of `event_types` (codes)."""
        is_wanted = np.zeros(256, bool)
        is_wanted[event_types] = True  # a negative code wraps around here and in the look-up alike
        which = is_wanted[self.event_types]
        return self if which.all() else self.take(which)

    def followed_by(self, later: History) -> History:
        """Both histories merged by time; on equal times the events of `later` come last."""
        if not len(later):
            return self
        both = self.concatenated(later)
        return both.take(np.argsort(both.times, kind="stable"))

    def concatenated(self, later: History) -> History:
        """Both histories one after the other, whatever their times."""
        return History(
            items=np.concatenate([self.items, later.items]),
            event_types=np.concatenate([self.event_types, later.event_types]),
            times=np.concatenate([self.times, later.times]),
            baskets=np.concatenate([self.baskets, later.baskets]),
            prices=np.concatenate([self.prices, later.prices]),
        )


@dataclass(frozen=True)
class EncoderInputs:
    """What the encoder reads of a history: its latest events, or of a set its latest items; oldest first."""

    items: IntArray
    """(L,)"""
    event_types: NDArray[np.int64]
    """(L,)"""
    ages: NDArray[np.float32]
    """(L,) days between each event and `as_of`, 0 in a set. Causal models use only differences of these."""


def encoder_inputs(
    history: History, *, as_of: int, event_types: NDArray[np.int8], max_length: int, order: HistoryOrder
) -> EncoderInputs:
    """The latest `max_length` events of `event_types` before `as_of` (microseconds); of a set, the latest
    items, see `latest_event_of_each_item`."""
    seen = history.before(as_of).of_event_types(event_types)
    if order == "set":
        seen = seen.take(latest_event_of_each_item(seen.items))
    latest = seen.take(slice(max(0, len(seen) - max_length), None))
    ages = ages_in_days(latest.times, as_of=as_of)
    return EncoderInputs(
        items=latest.items,
        event_types=latest.event_types.astype(np.int64),
        ages=np.zeros_like(ages) if order == "set" else ages,
    )


def latest_event_of_each_item(
    items: IntArray, users: NDArray[np.integer[Any]] | None = None
) -> NDArray[np.intp]:
    """A history as a set: the index of each item's last event, ascending. With the user of each event, of
    each item of each user."""
    order = np.argsort(items, kind="stable") if users is None else np.lexsort((items, users))
    is_last = np.ones(len(order), bool)
    is_last[:-1] = np.diff(items[order]) != 0
    if users is not None:
        is_last[:-1] |= np.diff(users[order]) != 0
    return np.sort(order[is_last])


def ages_in_days(times: TimeArray, *, as_of: int) -> NDArray[np.float32]:
    """Days (float32) from each time to `as_of`."""
    return ((as_of - times) / 86_400e6).astype(np.float32)
