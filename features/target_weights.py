"""What each event counts: its kind's weight, and nothing once a refund or a removal has taken it back.
Shapes: E events."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from configs.schema import EventType
from features.core.columns import EVENT_TYPE_CODE, UNDOES
from features.histories import History, IntArray, TimeArray

_IS_UNDO = np.isin(np.arange(256), [EVENT_TYPE_CODE[undo] for undo in UNDOES])


def target_weights(
    users: IntArray | None, events: History, targets: Mapping[EventType, float]
) -> NDArray[np.float32]:
    """The weight (E,) of each event as a target: that of its kind in `targets`; 0 for another kind and for an
    event undone.

    A refund undoes the latest purchase before it, or at its time, of the same person and item that no other
    refund has undone; a removal from the cart undoes an addition in the same way. One that finds nothing to
    undo does nothing. Quantities do not count: a line takes back a line. `users` (E,) says whose each event
    is, None that all are one person's, who must then be in the order of time. Only what stands in `events` is
    looked at: give those before a moment to know what counted then.
    """
    weight_of_kind = np.zeros(256, np.float32)
    for kind, weight in targets.items():
        weight_of_kind[EVENT_TYPE_CODE[kind]] = weight
    weights = weight_of_kind[events.event_types]
    if not _IS_UNDO[events.event_types].any():
        return weights
    users = np.zeros(len(events), np.int32) if users is None else users
    for undo, kind in UNDOES.items():
        if kind in targets and (events.event_types == EVENT_TYPE_CODE[undo]).any():
            weights[_undone(users, events, kind=EVENT_TYPE_CODE[kind], undo=EVENT_TYPE_CODE[undo])] = 0.0
    return weights


def counting_event_types(targets: Mapping[EventType, float]) -> NDArray[np.int8]:
    """The codes of the kinds that `target_weights` has to see: the targets, and what undoes them."""
    return np.array(
        [EVENT_TYPE_CODE[kind] for kind in (*targets, *UNDOES) if kind in targets or UNDOES[kind] in targets],
        np.int8,
    )


def _undone(users: IntArray, events: History, *, kind: int, undo: int) -> NDArray[np.intp]:
    """Positions of the events of `kind` that a later `undo` takes back: opening and closing brackets, matched
    all at once.

    At one depth of one person and item the matched brackets alternate, so each closing one stands right after
    its own.
    """
    at, group = _brackets(users, events, kind=kind, undo=undo)
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
    """How deep each bracket stands in its group (groups stand together), and which closing ones have nothing
    to close."""
    step = np.where(closes, -1, 1)
    starts = np.diff(group, prepend=-1) != 0
    total, number = np.cumsum(step), np.cumsum(starts) - 1
    height = total - (total - step)[starts][number]
    # the lowest height so far in each group: with each group far below the one before, one running minimum
    # serves all
    drop = number * (2 * len(group) + 2)
    lowest = np.minimum.accumulate(np.minimum(height, 0) - drop) + drop
    lowest_before = np.where(starts, 0, np.concatenate([[0], lowest])[: len(lowest)])
    return height - lowest + closes, lowest < lowest_before


def _brackets(
    users: IntArray, events: History, *, kind: int, undo: int
) -> tuple[NDArray[np.intp], TimeArray]:
    """Positions of the events of `kind` and `undo` whose person and item have an `undo`, and a number for
    person and item."""
    closing = np.flatnonzero(events.event_types == undo)
    is_of_user, is_of_item = np.zeros(int(users.max()) + 1, bool), np.zeros(int(events.items.max()) + 1, bool)
    is_of_user[users[closing]], is_of_item[events.items[closing]] = True, True
    opening = np.flatnonzero((events.event_types == kind) & is_of_user[users] & is_of_item[events.items])
    opening = opening[
        np.isin(_key(users[opening], events.items[opening]), _key(users[closing], events.items[closing]))
    ]
    at = np.concatenate([opening, closing])
    return at, _key(users[at], events.items[at])


def _key(users: IntArray, items: IntArray) -> TimeArray:
    return users.astype(np.int64) << 32 | items.astype(np.int64)
