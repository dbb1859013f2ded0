"""Weights of events as targets: that of their type, or 0 once a refund or a removal has undone them.

Shapes: E events.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from configs.settings.event_types import EventType
from features.core.columns import EVENT_TYPE_CODE, UNDOES
from features.histories import History, IntArray, TimeArray

_IS_UNDO = np.isin(np.arange(256), [EVENT_TYPE_CODE[undo] for undo in UNDOES])


def target_weights(
    users: IntArray | None, events: History, targets: Mapping[EventType, float]
) -> NDArray[np.float32]:
    """The weight (E,) of each event: that of its type in `targets`; 0 for other types and for undone events.

    A refund undoes the latest purchase before it, or at its time, of the same user and item that no other
    refund has undone. A removal from the cart undoes an addition in the same way. One that finds nothing to
    undo has no effect. Quantities are ignored: one line undoes one line.

    `users` (E,) is the user of each event; None means that all events are of one user and sorted by time.
    Only `events` are looked at: pass the events before a time to get the weights as of that time.
    """
    weight_of_type = np.zeros(256, np.float32)
    for event_type, weight in targets.items():
        weight_of_type[EVENT_TYPE_CODE[event_type]] = weight
    weights = weight_of_type[events.event_types]
    if not _IS_UNDO[events.event_types].any():
        return weights
    users = np.zeros(len(events), np.int32) if users is None else users
    for undo, event_type in UNDOES.items():
        if event_type in targets and (events.event_types == EVENT_TYPE_CODE[undo]).any():
            undone = _undone(
                users, events, event_type=EVENT_TYPE_CODE[event_type], undo=EVENT_TYPE_CODE[undo]
            )
            weights[undone] = 0.0
    return weights


def counting_event_types(targets: Mapping[EventType, float]) -> NDArray[np.int8]:
    """The codes of the event types that `target_weights` needs: the targets, and the types that undo them."""
    undos = [undo for undo, undone in UNDOES.items() if undone in targets]
    return np.array([EVENT_TYPE_CODE[name] for name in dict.fromkeys((*targets, *undos))], np.int8)


def _undone(users: IntArray, events: History, *, event_type: int, undo: int) -> NDArray[np.intp]:
    """Positions of the events of `event_type` that a later event of type `undo` undoes.

    The two types are matched like opening and closing brackets, for all users and items at once: at one depth
    of one user and item the matched brackets alternate, so each closing one comes right after its opening
    one.
    """
    at, group = _brackets(users, events, event_type=event_type, undo=undo)
    closes = events.event_types[at] == undo
    order = np.lexsort((at, closes, events.times[at], group))
    at, group, closes = at[order], group[order], closes[order]
    depth, unmatched = _depths(group, closes)
    at, group, closes, depth = at[~unmatched], group[~unmatched], closes[~unmatched], depth[~unmatched]
    order = np.lexsort((np.arange(len(at)), depth, group))
    at, group, closes, depth = at[order], group[order], closes[order], depth[order]
    same = (group[:-1] == group[1:]) & (depth[:-1] == depth[1:])
    undone: NDArray[np.intp] = at[:-1][same & ~closes[:-1] & closes[1:]]
    return undone


def _depths(group: TimeArray, closes: NDArray[np.bool_]) -> tuple[TimeArray, NDArray[np.bool_]]:
    """The depth of each bracket in its group (groups are contiguous), and which closing ones lack a match."""
    step = np.where(closes, -1, 1)
    starts = np.diff(group, prepend=-1) != 0
    total, number = np.cumsum(step), np.cumsum(starts) - 1
    height = total - (total - step)[starts][number]
    # the lowest height so far in each group; each group is shifted far below the one before, so that one
    # running minimum serves them all
    drop = number * (2 * len(group) + 2)
    lowest = np.minimum.accumulate(np.minimum(height, 0) - drop) + drop
    lowest_before = np.where(starts, 0, np.concatenate([[0], lowest])[: len(lowest)])
    return height - lowest + closes, lowest < lowest_before


def _brackets(
    users: IntArray, events: History, *, event_type: int, undo: int
) -> tuple[NDArray[np.intp], TimeArray]:
    """Positions of events of both types whose user and item have an `undo`, and a key of user and item."""
    closing = np.flatnonzero(events.event_types == undo)
    is_of_user, is_of_item = np.zeros(int(users.max()) + 1, bool), np.zeros(int(events.items.max()) + 1, bool)
    is_of_user[users[closing]], is_of_item[events.items[closing]] = True, True
    opening = np.flatnonzero(
        (events.event_types == event_type) & is_of_user[users] & is_of_item[events.items]
    )
    opening = opening[
        np.isin(_key(users[opening], events.items[opening]), _key(users[closing], events.items[closing]))
    ]
    at = np.concatenate([opening, closing])
    return at, _key(users[at], events.items[at])


def _key(users: IntArray, items: IntArray) -> TimeArray:
    return users.astype(np.int64) << 32 | items.astype(np.int64)
