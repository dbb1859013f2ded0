"""Splits events into the past, which models are fitted on, and the events to predict.

Shapes: U users, E events of the dataset.

    window            ... all users' past ... | T - 2w  validation | T - w  test | T
    leave_one_out     each user's past ...    | last basket but one| last basket |
    given             each user's train items | a tenth of them    | test items  |

Each `|` is a split point. A model fitted on the events before one predicts those between it and the next.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from configs.exceptions import TooLittleDataError
from configs.schema import EventType, SplitConfig
from features.core.columns import MICROSECONDS_PER_DAY
from features.dataset import Dataset
from features.histories import History, IntArray, TimeArray
from features.target_weights import counting_event_types, target_weights

LEAVE_ONE_OUT_WARNING = (
    "split.kind=leave_one_out trains on events later than other users' test events, so its metrics are too "
    "high: "
    "use it to compare with papers, and split.kind=window to decide what to serve."
)


@dataclass(frozen=True)
class SplitPoint:
    """The position in each user's events where the past ends."""

    name: str
    ends: TimeArray
    """(U,) position in the dataset's event arrays just after the last event of each user's past."""
    as_of: int
    """Microseconds. Every event of the past is before it."""
    user_as_of: TimeArray | None = None
    """(U,) for leave_one_out and given, where each user has an own time: that of the event to predict."""

    @property
    def per_user(self) -> bool:
        """True for leave_one_out and given."""
        return self.user_as_of is not None

    def past(self, dataset: Dataset) -> NDArray[np.bool_]:
        """(E,) True for the events before the split point."""
        return np.arange(len(dataset.items)) < np.repeat(self.ends, np.diff(dataset.offsets))

    def history(self, dataset: Dataset, user: int) -> History:
        """One user's events before the split point."""
        return dataset.history(user).take(slice(0, int(self.ends[user] - dataset.offsets[user])))

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
    return (
        split_point_at(dataset, validation, name="validation"),
        split_point_at(dataset, test, name="test"),
        split_point_at(dataset, full, name="full"),
    )


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


def targets_between(
    dataset: Dataset, earlier: SplitPoint, later: SplitPoint, *, targets: Mapping[EventType, float]
) -> dict[int, NDArray[np.int32]]:
    """User → the distinct items of their target events between `earlier` and `later`; users without any are
    left out.

    An item bought and refunded between the split points is not among them; one refunded after `later` is.
    """
    users, events, _ = _standing(dataset, later.past(dataset) & ~earlier.past(dataset), targets)
    items = events.items
    starts = np.flatnonzero(np.diff(users, prepend=-1))
    parts = np.split(items, starts)[1:]  # the part before the first start is empty
    return {
        int(user): np.unique(part).astype(np.int32) for user, part in zip(users[starts], parts, strict=True)
    }


def _standing(
    dataset: Dataset, mask: NDArray[np.bool_], targets: Mapping[EventType, float]
) -> tuple[IntArray, History, NDArray[np.float32]]:
    users, events = dataset.events_where(mask & np.isin(dataset.event_types, counting_event_types(targets)))
    weights = target_weights(users, events, targets)
    counts = weights > 0
    return users[counts], events.take(counts), weights[counts]


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
