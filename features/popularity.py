"""What sells: counts of target events in a window that ends at `as_of`. Shapes: E events, N items."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.columns import MICROSECONDS_PER_DAY
from features.histories import History, TimeArray


def popularity(events: History, *, num_items: int, as_of: int, days: float | None) -> NDArray[np.float32]:
    """How many of `events` (E) each item had in the `days` before `as_of` (None: ever before): (N,)."""
    since = as_of - int(days * MICROSECONDS_PER_DAY) if days is not None else np.iinfo(np.int64).min
    recent = (events.times >= since) & (events.times < as_of)
    return np.bincount(events.items[recent], minlength=num_items).astype(np.float32)


def first_seen(events: History, *, num_items: int, as_of: int) -> TimeArray:
    """When each item first had an event, in microseconds: (N,); `as_of` for an item that had none before it."""
    first = np.full(num_items, as_of, np.int64)
    past = events.times < as_of
    np.minimum.at(first, events.items[past], events.times[past])
    return first
