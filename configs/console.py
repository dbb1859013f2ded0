"""Console output: progress bars with the remaining time on a terminal, plain lines in a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)

from configs.pace import Pace, duration

console = Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty())
"""Progress and remarks go to stderr; the result of a command goes to stdout."""

PIPE_WIDTH = 160
"""Columns of a line on stdout in a pipe, so that table rows are not wrapped."""

SECONDS_BETWEEN_LINES = 15.0
"""Time between two lines of progress in a pipe."""


def stdout() -> Console:
    """The console for the result of a command."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)


def log(message: str) -> None:
    """Print one line of progress."""
    console.print(message, markup=False)


class Work(Protocol):
    """Counts the steps of a long operation."""

    def advance(self, steps: int = 1, *, note: str = "") -> None:
        """Report that `steps` more are done; `note`, such as a loss, is shown beside the bar."""


class _Bar:
    def __init__(self, progress: Progress, description: str, pace: Pace) -> None:
        self._progress, self._pace = progress, pace
        self._task = progress.add_task(description, total=pace.total, note="", left=duration(None))

    def advance(self, steps: int = 1, *, note: str = "") -> None:
        self._pace.advance(steps)
        left = duration(self._pace.seconds_left())
        self._progress.update(self._task, advance=steps, note=note, left=left)


class _Lines:
    def __init__(self, description: str, pace: Pace) -> None:
        self._description, self._pace = description, pace
        self._last = time.monotonic()

    def advance(self, steps: int = 1, *, note: str = "") -> None:
        self._pace.advance(steps)
        now = time.monotonic()
        if now - self._last < SECONDS_BETWEEN_LINES:
            return
        self._last = now
        done, left = f"{self._pace.done:,} of {self._pace.total:,}", duration(self._pace.seconds_left())
        log(f"{self._description}: {done}, about {left} left {note}".rstrip())


@contextmanager
def progress(description: str, *, total: int, at_most: Callable[[], float] | None = None) -> Iterator[Work]:
    """Show the progress of `total` steps while the block runs. `at_most` gives the seconds until the work is
    ended, whatever is left of it; None for no such limit."""
    pace = Pace(total, at_most=at_most)
    if not console.is_terminal:
        yield _Lines(description, pace)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]} left"),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        yield _Bar(bar, description, pace)
