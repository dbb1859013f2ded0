"""What sells: target events by weight in a window that ends at `as_of`. Shapes: E events, N items."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.core.columns import MICROSECONDS_PER_DAY
from features.histories import History, TimeArray


def popularity(
    events: History, *, weights: NDArray[np.float32], num_items: int, as_of: int, days: float | None
) -> NDArray[np.float32]:
    """The summed `weights` (E,) of each item's `events` in the `days` before `as_of` (None: ever before):
    (N,)."""
    since = as_of - int(days * MICROSECONDS_PER_DAY) if days is not None else np.iinfo(np.int64).min
    recent = (events.times >= since) & (events.times < as_of)
    return np.bincount(events.items[recent], weights=weights[recent], minlength=num_items).astype(np.float32)


def first_seen(events: History, *, num_items: int, as_of: int) -> TimeArray:
    """When each item first had an event, in microseconds: (N,); `as_of` for an item that had none before
    it."""
    first = np.full(num_items, as_of, np.int64)
    past = events.times < as_of
    np.minimum.at(first, events.items[past], events.times[past])
    return first
