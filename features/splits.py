"""Splits events into the past, which models are fitted on, and the events to predict.

Shapes: U users, E events of the dataset.

    window            ... all users' past ... | T - 2w  validation | T - w  test | T
    leave_one_out     each user's past ...    | last basket but one| last basket |
    given             each user's train items | a tenth of them    | test items  |
    session           ... all users' past ... | sessions of the same two windows|

Each `|` is a split point. A model fitted on the events before one predicts those between it and the next. For
`session` it predicts how sessions of the window go on, from their own beginnings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from configs.exceptions import TooLittleDataError
from configs.settings.data import SplitConfig
from configs.settings.event_types import EventType
from features.core.columns import MICROSECONDS_PER_DAY
from features.dataset import Dataset
from features.histories import History, IntArray, TimeArray
from features.sessions import session_numbers
from features.target_weights import counting_event_types, target_weights

LEAVE_ONE_OUT_WARNING = (
    "split.kind=leave_one_out trains on events later than other users' test events, so its metrics are too "
    "high: "
    "use it to compare with papers, and split.kind=window to decide what to serve."
)


@dataclass(frozen=True)
class JudgedSessions:
    """One session of each user in the window after a split point, cut into a beginning and what follows it.

    All are positions in the dataset's event arrays. For a user without such a session all three are the end
    of the past.
    """

    starts: TimeArray
    """(U,) the first event of the session."""
    cuts: TimeArray
    """(U,) the first event after the beginning. Every event of the beginning is before its time."""
    ends: TimeArray
    """(U,) just after the last event of the session that lies in the window."""


@dataclass(frozen=True)
class SplitPoint:
    """The position in each user's events where the past ends."""

    name: str
    ends: TimeArray
    """(U,) position in the dataset's event arrays just after the last event of each user's past."""
    as_of: int
    """Microseconds. Every event of the past is before it."""
    user_as_of: TimeArray | None = None
    """(U,) where each user has an own time, that of the first event to predict."""
    sessions: JudgedSessions | None = None
    """For session, of the points with a window after them: who is asked for in the middle of what."""

    @property
    def per_user(self) -> bool:
        """True for leave_one_out and given: each user has an own end of the past."""
        return self.user_as_of is not None and self.sessions is None

    def past(self, dataset: Dataset) -> NDArray[np.bool_]:
        """(E,) True for the events before the split point."""
        return np.arange(len(dataset.items)) < np.repeat(self.ends, np.diff(dataset.offsets))

    def history(self, dataset: Dataset, user: int) -> History:
        """One user's events before their list is made: those before the split point, and for session those
        up to the end of the session's beginning."""
        ends = self.ends if self.sessions is None else self.sessions.cuts
        return dataset.history(user).take(slice(0, int(ends[user] - dataset.offsets[user])))

    def begun_with(self, dataset: Dataset, user: int) -> IntArray:
        """The distinct items of the beginning of the user's session. They are in neither list nor truth: to
        predict them again would be no merit. Without a session there are none."""
        if self.sessions is None:
            return np.empty(0, np.int32)
        start, cut = int(self.sessions.starts[user]), int(self.sessions.cuts[user])
        return np.unique(dataset.items[start:cut])

    def to_predict(self, later: SplitPoint) -> tuple[TimeArray, TimeArray]:
        """((U,), (U,)) the positions between which the events to predict are, up to the point `later`."""
        if self.sessions is None:
            return self.ends, later.ends
        return self.sessions.cuts, self.sessions.ends

    def as_of_user(self, user: int) -> int:
        """The time (microseconds) as of which a user's list is made: after all events of their past."""
        return self.as_of if self.user_as_of is None else int(self.user_as_of[user])


Timeline = tuple[SplitPoint, SplitPoint, SplitPoint]
"""The split points validation, test and full."""


def split_points(dataset: Dataset, split: SplitConfig) -> Timeline:
    """The split points (validation, test, full). Raises TooLittleDataError without events before the
    first."""
    if split.kind == "leave_one_out":
        starts = _basket_starts(dataset, by_time=True)
        return _last_baskets(dataset, first_start_B=starts, needed=3)
    if split.kind == "given":
        return _last_baskets(dataset, first_start_B=_basket_starts(dataset, by_time=False), needed=2)
    validation, test, full = window_times(
        int(dataset.manifest["first_time"]),
        int(dataset.manifest["last_time"]),
        num_events=len(dataset.items),
        window_days=split.window_days,
    )
    first = split_point_at(dataset, validation, name="validation")
    second = split_point_at(dataset, test, name="test")
    if split.kind == "session":
        first = _with_sessions(dataset, first, until=test)
        second = _with_sessions(dataset, second, until=full)
    return first, second, split_point_at(dataset, full, name="full")


def window_times(first: int, last: int, *, num_events: int, window_days: float) -> tuple[int, int, int]:
    """The times of the split points (validation, test, full) of data from `first` to `last`, all in
    microseconds. Raises TooLittleDataError without a past before two windows."""
    window, end = int(window_days * MICROSECONDS_PER_DAY), last + 1
    if end - first <= 1:
        raise TooLittleDataError(
            f"All {num_events:,} events are of one time ({np.datetime64(first, 'us')}), so they "
            "cannot be split by time. Name the column of times with data.event_columns.timestamp and "
            "prepare again, or set data.clock=ordinal and split.kind=leave_one_out when there is none."
        )
    if end - 2 * window <= first:
        raise TooLittleDataError(
            f"The data spans {(end - first) / MICROSECONDS_PER_DAY:.1f} days, but "
            f"split.window_days={window_days:g} needs more than two windows "
            f"({2 * window_days:g} days): lower it, for example --set "
            f"split.window_days={(end - first) / MICROSECONDS_PER_DAY / 6:.2g}."
        )
    return end - 2 * window, end - window, end


def split_point_at(dataset: Dataset, as_of: int, *, name: str) -> SplitPoint:
    """The same split point for all users: events strictly before `as_of` (microseconds) are the past."""
    before = np.concatenate([[0], np.cumsum(np.asarray(dataset.times) < as_of)])
    ends = dataset.offsets[:-1] + before[dataset.offsets[1:]] - before[dataset.offsets[:-1]]
    return SplitPoint(name=name, ends=ends, as_of=as_of)


def targets_before(
    dataset: Dataset, point: SplitPoint, *, targets: Mapping[EventType, float]
) -> tuple[IntArray, History, NDArray[np.float32]]:
    """The target events before the split point that none before it undid: (users, events, positive
    weights)."""
    return _standing(dataset, point.past(dataset), targets)


def target_places_before(
    dataset: Dataset, point: SplitPoint, *, targets: Mapping[EventType, float]
) -> NDArray[np.intp]:
    """The positions in the dataset's arrays of what `targets_before` gives."""
    mask = point.past(dataset) & np.isin(dataset.event_types, counting_event_types(targets))
    users, events = dataset.events_where(mask)
    found: NDArray[np.intp] = np.flatnonzero(mask)[target_weights(users, events, targets) > 0]
    return found


def targets_between(
    dataset: Dataset, earlier: SplitPoint, later: SplitPoint, *, targets: Mapping[EventType, float]
) -> dict[int, NDArray[np.int32]]:
    """User → the distinct items of their target events between `earlier` and `later`; users without any are
    left out.

    An item bought and refunded between the split points is not among them; one refunded after `later` is.
    For session neither is an item that the session began with.
    """
    begins, ends = earlier.to_predict(later)
    users, events, _ = _standing(dataset, _between(dataset, begins, ends), targets)
    if earlier.sessions is not None:
        who, begun = dataset.events_where(_between(dataset, earlier.sessions.starts, begins))
        is_new = ~np.isin(_pairs(users, events.items), _pairs(who, begun.items))
        users, events = users[is_new], events.take(is_new)
    items = events.items
    starts = np.flatnonzero(np.diff(users, prepend=-1))
    parts = np.split(items, starts)[1:]  # the part before the first start is empty
    return {
        int(user): np.unique(part).astype(np.int32) for user, part in zip(users[starts], parts, strict=True)
    }


def _between(dataset: Dataset, begins: TimeArray, ends: TimeArray) -> NDArray[np.bool_]:
    """(E,) True for the events of each user from one position up to another (U,)."""
    place, lengths = np.arange(len(dataset.items)), np.diff(dataset.offsets)
    between: NDArray[np.bool_] = (place >= np.repeat(begins, lengths)) & (place < np.repeat(ends, lengths))
    return between


def _pairs(users: IntArray, items: IntArray) -> TimeArray:
    return users.astype(np.int64) << 32 | items.astype(np.int64)


def _standing(
    dataset: Dataset, mask: NDArray[np.bool_], targets: Mapping[EventType, float]
) -> tuple[IntArray, History, NDArray[np.float32]]:
    users, events = dataset.events_where(mask & np.isin(dataset.event_types, counting_event_types(targets)))
    weights = target_weights(users, events, targets)
    counts = weights > 0
    return users[counts], events.take(counts), weights[counts]


def _with_sessions(dataset: Dataset, point: SplitPoint, *, until: int) -> SplitPoint:
    """The split point with each user's last session that begins at or after it and goes on before `until`.

    The first half of a session's events, rounded down, is its beginning; events of one moment are on one
    side. A session with events before the split point is left out, because its beginning was trained on.
    """
    users, events = dataset.events_where(np.ones(len(dataset.items), bool))
    new_time = np.diff(events.times, prepend=events.times[:1] - 1) != 0
    starts = np.flatnonzero(np.diff(session_numbers(users, events), prepend=-1))
    new_time[starts] = True
    moments = np.flatnonzero(new_time)
    """The position of the first event of each moment of a session"""
    num_before = np.add.reduceat((events.times < until).astype(np.int64), starts)
    ends = starts + num_before
    own = moments[np.searchsorted(moments, starts + num_before // 2, side="right") - 1]
    second = np.append(moments, len(events))[np.searchsorted(moments, starts, side="right")]
    cuts = np.maximum(own, second)
    judged = (events.times[starts] >= point.as_of) & (cuts < ends)
    of = users[starts[judged]]  # ascending; the last of a user overwrites the others
    found = JudgedSessions(point.ends.copy(), point.ends.copy(), point.ends.copy())
    found.starts[of], found.cuts[of], found.ends[of] = starts[judged], cuts[judged], ends[judged]
    user_as_of = np.full(dataset.num_users, point.as_of)
    user_as_of[of] = events.times[found.cuts[of]]
    return replace(point, sessions=found, user_as_of=user_as_of)


def _last_baskets(dataset: Dataset, *, first_start_B: TimeArray, needed: int) -> Timeline:
    """The last basket of each user is for the test, the one before it for validation.

    `first_start_B`: the position of the first event of each basket. Users with fewer than `needed` baskets
    are only trained on, and those with two have no validation items.
    """
    num_U = np.diff(np.searchsorted(first_start_B, dataset.offsets))
    starts = np.append(first_start_B, len(dataset.items))
    last_U = np.cumsum(num_U)
    ends = dataset.offsets[1:]
    test = np.where(num_U >= needed, starts[last_U - 1], ends)
    validation = np.where(num_U > 2, starts[last_U - 2], test)
    return (
        _cut_of_each(dataset, validation, name="validation"),
        _cut_of_each(dataset, test, name="test"),
        _cut_of_each(dataset, ends, name="full"),
    )


def _basket_starts(dataset: Dataset, *, by_time: bool) -> TimeArray:
    """The position of the first event of each basket. With `by_time`, all events of one user and one moment
    are one basket, whatever their receipts: none of them is known before another."""
    begins = np.diff(dataset.baskets, prepend=-1) != 0
    if by_time:
        begins &= np.diff(dataset.times, prepend=-1) != 0
        begins[dataset.offsets[:-1]] = True
    return np.flatnonzero(begins)


def _cut_of_each(dataset: Dataset, ends: TimeArray, *, name: str) -> SplitPoint:
    """Each user's as_of is the time of their next event, or just after the last: always after an event."""
    latest = dataset.times[ends - 1] + 1
    following = dataset.times[np.minimum(ends, len(dataset.times) - 1)]
    user_as_of = np.where(ends < dataset.offsets[1:], np.maximum(latest, following), latest)
    return SplitPoint(
        name=name, ends=ends, as_of=int(dataset.manifest["last_time"]) + 1, user_as_of=user_as_of
    )
