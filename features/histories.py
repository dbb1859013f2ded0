"""A person's history, and the one place where it is cut and ordered, for training and for serving alike.

Legend of shapes: n events of one person, oldest first; L positions given to the encoder.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int32]
TimeArray = NDArray[np.int64]


@dataclass(frozen=True)
class History:
    """One person's item events, oldest first. Items are catalogue indices, never raw ids."""

    items: IntArray
    """(n,) index of each event's item."""
    event_types: NDArray[np.int8]
    """(n,) event type, as its code in `columns.EVENT_TYPE_CODE`."""
    times: TimeArray
    """(n,) microseconds since 1970 UTC."""
    baskets: TimeArray
    """(n,) events of one transaction share a number; it means nothing across people."""
    prices: NDArray[np.float32]
    """(n,) price of one unit in the shop's currency; NaN where unknown."""

    def __len__(self) -> int:
        return len(self.items)

    @classmethod
    def empty(cls) -> History:
        """The history of a stranger."""
        return cls(
            items=np.empty(0, np.int32),
            event_types=np.empty(0, np.int8),
            times=np.empty(0, np.int64),
            baskets=np.empty(0, np.int64),
            prices=np.empty(0, np.float32),
        )

    def take(self, which: NDArray[np.bool_] | NDArray[np.intp] | slice) -> History:
        """The events picked by a mask, indices or a slice, in their order."""
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
        """The events whose type is one of `kinds`."""
        is_wanted = np.zeros(256, bool)
        is_wanted[event_types] = True  # a negative code counts from the end, as it does in the look-up
        which = is_wanted[self.event_types]
        return self if which.all() else self.take(which)

    def followed_by(self, later: History) -> History:
        """Both, in the order of time; on equal times `later` comes last."""
        if not len(later):
            return self
        both = History(
            items=np.concatenate([self.items, later.items]),
            event_types=np.concatenate([self.event_types, later.event_types]),
            times=np.concatenate([self.times, later.times]),
            baskets=np.concatenate([self.baskets, later.baskets]),
            prices=np.concatenate([self.prices, later.prices]),
        )
        return both.take(np.argsort(both.times, kind="stable"))


@dataclass(frozen=True)
class EncoderInputs:
    """What the encoder reads of one history: its latest events, oldest first."""

    items: IntArray
    """(L,)"""
    event_types: NDArray[np.int64]
    """(L,)"""
    ages: NDArray[np.float32]
    """(L,) days between each event and `as_of`. Causal models use differences of these alone."""


def encoder_inputs(
    history: History, *, as_of: int, event_types: NDArray[np.int8], max_length: int
) -> EncoderInputs:
    """Cut a history to what the encoder reads: the latest `max_length` events of `kinds` before `as_of`."""
    seen = history.before(as_of).of_event_types(event_types)
    latest = seen.take(slice(max(0, len(seen) - max_length), None))
    return EncoderInputs(
        items=latest.items,
        event_types=latest.event_types.astype(np.int64),
        ages=ages_in_days(latest.times, as_of=as_of),
    )


def distinct(values: NDArray[Any]) -> NDArray[Any]:
    """Each value once, ascending: `np.unique`, whose hash table takes ten times as long for some thousand
    integers."""
    ordered = np.sort(values)
    is_first = np.ones(len(ordered), bool)
    is_first[1:] = ordered[1:] != ordered[:-1]
    found: NDArray[Any] = ordered[is_first]
    return found


def ages_in_days(times: TimeArray, *, as_of: int) -> NDArray[np.float32]:
    """Days (float32) from each time to `as_of`."""
    return ((as_of - times) / 86_400e6).astype(np.float32)
