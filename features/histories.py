"""A user's history, and what the encoder reads of it: one implementation for training and serving.

Legend of shapes: n events of one user, oldest first; L positions given to the encoder.
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
    """The events of a history that the encoder reads: the latest ones, oldest first."""

    items: IntArray
    """(L,)"""
    event_types: NDArray[np.int64]
    """(L,)"""
    ages: NDArray[np.float32]
    """(L,) days between each event and `as_of`. Causal models use only differences of these."""


def encoder_inputs(
    history: History, *, as_of: int, event_types: NDArray[np.int8], max_length: int
) -> EncoderInputs:
    """The latest `max_length` events of `event_types` before `as_of` (microseconds)."""
    seen = history.before(as_of).of_event_types(event_types)
    latest = seen.take(slice(max(0, len(seen) - max_length), None))
    return EncoderInputs(
        items=latest.items,
        event_types=latest.event_types.astype(np.int64),
        ages=ages_in_days(latest.times, as_of=as_of),
    )


def distinct(values: NDArray[Any]) -> NDArray[Any]:
    """The distinct values, ascending. For some thousand integers ten times as fast as the hash table of
    `np.unique`."""
    ordered = np.sort(values)
    is_first = np.ones(len(ordered), bool)
    is_first[1:] = ordered[1:] != ordered[:-1]
    found: NDArray[Any] = ordered[is_first]
    return found


def ages_in_days(times: TimeArray, *, as_of: int) -> NDArray[np.float32]:
    """Days (float32) from each time to `as_of`."""
    return ((as_of - times) / 86_400e6).astype(np.float32)
