"""What the windows of `split` hold, and what makes them useless: looked at before anything is trained.

The windows are those of `features/splits.py`, from which the times come. The sessions and baskets here are
counted from the table, before it is a dataset, so a figure may differ by a few users from that of an
evaluation.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import polars as pl

from configs.exceptions import TooLittleDataError
from configs.schema import Config
from features.core import columns as c
from features.splits import window_times

STRAY_SHARE: Final = 0.01
"""Events after a gap are stray when they are at most this share of all."""
OLD_DAYS: Final = 90
"""Data that ends longer ago than this is called old."""
FEW_WITH_HISTORY: Final = 0.2
"""A smaller share of users with earlier events says little about anything but strangers."""
MAX_GAPS: Final = 3
"""How many gaps are named, the longest."""

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class Window:
    """The events to predict after one split point."""

    name: str
    """`validation` or `test`"""
    first_time: str | None
    """ISO 8601; None where each user has an own window."""
    until: str | None
    """The first moment after it."""
    target_events: int
    users: int
    """Users with something to predict in it."""
    users_with_history: int
    """Those of them with an item event before it."""


@dataclass(frozen=True)
class WindowReport:
    """All that is said of the windows."""

    windows: list[Window] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    no_go: str | None = None
    """Why they are of no use, and what to set; None when they are."""


@dataclass(frozen=True)
class _Tail:
    """Few events long after the rest, by the dates of the file."""

    num_events: int
    last_before: datetime
    first: datetime
    last: datetime

    def __str__(self) -> str:
        days = (self.first - self.last_before) // _DAY
        when = f"of {self.first:%Y-%m-%d}"
        if self.last.date() != self.first.date():
            when = f"from {self.first:%Y-%m-%d} to {self.last:%Y-%m-%d}"
        return (
            f"{_events(self.num_events)} {when}, {days:,} days after all others: data.until="
            f"{self.last_before:%Y-%m-%d} leaves them out"
        )


def inspect_windows(
    item_events: pl.DataFrame, *, config: Config, now: datetime, moved_days: int = 0
) -> WindowReport:
    """Look at the windows that item events will be split into.

    `item_events`, by time: `_user` and the columns event_type, timestamp, item_id, transaction_id and
    session_id. `now` is what old data is compared with; `moved_days` what `data.shift_to_today` added.
    """
    if item_events.is_empty():
        return WindowReport()
    if config.split.kind in ("leave_one_out", "given"):
        windows = _windows_of_users(item_events, config)
        warnings = _warnings_of_times(item_events, now=now) if config.data.clock == "real" else []
        return WindowReport(windows, warnings, _too_few(item_events, windows, config, None))
    gaps = _gaps(item_events[c.TIMESTAMP], shortest=timedelta(days=config.split.window_days))
    tail = _stray_tail(item_events[c.TIMESTAMP], config.split.window_days, moved_days=moved_days)
    warnings = [*gaps, *_warnings_of_times(item_events, now=now)]
    first, last = (int(found) for found in _microseconds(item_events)[[0, -1]])
    try:
        times = window_times(first, last, num_events=len(item_events), window_days=config.split.window_days)
    except TooLittleDataError as error:
        no_go = str(error).removesuffix(".") if config.prepare.min_window_users else None
        return WindowReport([], warnings, no_go)
    windows = [
        _window(item_events, name, start, end, config)
        for name, start, end in zip(("validation", "test"), times[:2], times[1:], strict=True)
    ]
    no_go = _too_few(item_events, windows, config, tail)
    if no_go is None:  # else it names the tail
        warnings += [*([str(tail)] if tail else []), *_warnings_of_strangers(windows[1], config)]
    return WindowReport(windows, warnings, no_go)


def without_times(window: Window) -> Window:
    """For an ordinal clock, whose times mean nothing."""
    return replace(window, first_time=None, until=None)


def _window(item_events: pl.DataFrame, name: str, start: int, end: int, config: Config) -> Window:
    """The window between two split points (microseconds), common to all users."""
    times = _microseconds(item_events)
    first, after = np.searchsorted(times, [start, end])
    before, inside = item_events[: int(first)], item_events[int(first) : int(after)]
    if config.split.kind == "session":
        inside = _of_judged_sessions(inside, before, config)
    targets = inside.filter(_is_target(config))
    users = targets["_user"].unique()
    return Window(
        name=name,
        first_time=_iso(start),
        until=_iso(end),
        target_events=len(targets),
        users=len(users),
        users_with_history=int(users.is_in(before["_user"].unique().implode()).sum()),
    )


def _of_judged_sessions(inside: pl.DataFrame, before: pl.DataFrame, config: Config) -> pl.DataFrame:
    """The events of the sessions that begin in the window, and go on after their beginning."""
    begun = before[c.SESSION_ID].unique()
    sessions = (
        inside.filter(~pl.col(c.SESSION_ID).is_in(begun.implode()))
        .group_by(c.SESSION_ID)
        .agg(
            pl.col(c.TIMESTAMP).n_unique().alias("times"),
            pl.col(c.ITEM_ID).n_unique().alias("items"),
        )
        .filter((pl.col("times") > 1) & (pl.col("items") > 1))
    )
    return inside.filter(pl.col(c.SESSION_ID).is_in(sessions[c.SESSION_ID].implode()))


def _windows_of_users(item_events: pl.DataFrame, config: Config) -> list[Window]:
    """For leave_one_out and given: each user's last basket but one, and the last."""
    moment = pl.col(c.TIMESTAMP)
    if item_events[c.TRANSACTION_ID].null_count() < len(item_events):
        of_receipt = moment.min().over("_user", c.EVENT_TYPE, c.TRANSACTION_ID)
        moment = pl.when(pl.col(c.TRANSACTION_ID).is_null()).then(moment).otherwise(of_receipt)
    rows = item_events.select("_user", _is_target(config).alias("target"), moment.alias("moment"))
    rows = rows.sort("_user", "moment")
    users, is_target = rows["_user"].to_numpy(), rows["target"].to_numpy()
    begins = (np.diff(users, prepend=-1) != 0) | (np.diff(rows["moment"].to_physical(), prepend=-1) != 0)
    number = np.cumsum(begins)
    first = np.flatnonzero(np.diff(users, prepend=-1))
    per_user = np.diff(np.append(first, len(users)))
    last = number[np.append(first[1:], len(users)) - 1]
    from_last = np.repeat(last, per_user) - number
    baskets = np.repeat(last - number[first] + 1, per_user)
    needed = 3 if config.split.kind == "leave_one_out" else 2
    windows = []
    for name, place, at_least in (("validation", 1, 3), ("test", 0, needed)):
        held_out = is_target & (from_last == place) & (baskets >= at_least)
        num_users = len(np.unique(users[held_out]))
        windows.append(Window(name, None, None, int(held_out.sum()), num_users, num_users))
    return windows


def _too_few(
    item_events: pl.DataFrame, windows: list[Window], config: Config, tail: _Tail | None
) -> str | None:
    """The no-go of windows with too few users, and what to set; None for enough."""
    fewest = min(windows, key=lambda window: window.users)
    if fewest.users >= config.prepare.min_window_users:
        return None
    names = ", ".join(config.history.target_event_types)
    window = f"the {fewest.name} window"
    if fewest.first_time:
        window += f" ({fewest.first_time[:16]} to {(fewest.until or '')[:16]})"
    who = "1 user has" if fewest.users == 1 else f"{fewest.users:,} users have"
    found = (
        f"{who} one of history.targets ({names}) to predict in {window}, and "
        f"prepare.min_window_users is {config.prepare.min_window_users:,}"
    )
    counts = item_events[c.EVENT_TYPE].value_counts(sort=True)
    if not item_events.select(_is_target(config).any()).item():
        has = ", ".join(f"{name} ({count:,})" for name, count in counts.iter_rows())
        return f"{found}: set history.targets to event types that the data has: {has}"
    if tail is not None:
        return f"{found}. There are {tail}"
    return f"{found}: {_REMEDY[config.split.kind]}"


_REMEDY: Final = {
    "window": "set a longer split.window_days, or other history.targets",
    "session": "set a longer split.window_days, or other history.targets; a session counts when it begins "
    "in the window and has two items at two times",
    "leave_one_out": "bring users with three or more baskets at times of their own, or set "
    "data.clock=ordinal where the rows are in order",
    "given": "bring more users with both train and test items",
}


def _warnings_of_times(item_events: pl.DataFrame, *, now: datetime) -> list[str]:
    last = item_events[c.TIMESTAMP].max()
    if not isinstance(last, datetime) or now - last <= OLD_DAYS * _DAY:
        return []
    days = (now - last) // _DAY
    return [
        f"the last event is of {last:%Y-%m-%d}, {days:,} days ago. Lists that are made now count from today: "
        f'recency and reasons ("last {days} days ago") are that old, and what is popular lately is what was '
        "popular then. data.shift_to_today=true moves all dates, for a demonstration"
    ]


def _warnings_of_strangers(test: Window, config: Config) -> list[str]:
    share = test.users_with_history / max(test.users, 1)
    if config.split.kind != "window" or share >= FEW_WITH_HISTORY:
        return []
    return [
        f"only {share:.1%} of the {test.users:,} users of the test window have an event before it. The "
        "others are strangers to every retriever and get the same list, so the figures hardly tell them "
        "apart. split.kind=session judges sessions of the window by their own beginnings"
    ]


def _gaps(times: pl.Series, *, shortest: timedelta) -> list[str]:
    """The longest pauses of the whole shop, by time."""
    pause = times.diff()
    frame = pl.DataFrame({"after": times.shift(1), "before": times, "pause": pause})
    longest = frame.filter(pl.col("pause") >= max(shortest, _DAY)).top_k(MAX_GAPS, by="pause").sort("after")
    return [
        f"no item event for {pause // _DAY:,} days, from {after:%Y-%m-%d} to {before:%Y-%m-%d}"
        for after, before, pause in longest.iter_rows()
    ]


def _stray_tail(times: pl.Series, window_days: float, *, moved_days: int) -> _Tail | None:
    """The events after the first pause of half a window that has hardly any after it."""
    shortest = max(timedelta(days=window_days / 2), _DAY)
    first_possible = len(times) - int(STRAY_SHARE * len(times))
    late = times[max(first_possible, 1) - 1 :]
    pauses = (late.diff() >= shortest).fill_null(value=False).arg_true()
    if not len(pauses):
        return None
    place = int(pauses[0])
    moved = timedelta(days=moved_days)
    return _Tail(len(late) - place, late[place - 1] - moved, late[place] - moved, late[-1] - moved)


def _is_target(config: Config) -> pl.Expr:
    return pl.col(c.EVENT_TYPE).is_in(config.history.target_event_types)


def _microseconds(item_events: pl.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return item_events[c.TIMESTAMP].dt.epoch("us").to_numpy()


def _iso(time: int) -> str:
    return datetime.fromtimestamp(time / 1e6, tz=UTC).isoformat()


def _events(count: int) -> str:
    return "1 event" if count == 1 else f"{count:,} events"
