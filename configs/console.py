"""Console output: progress bars with the remaining time on a terminal, plain lines in a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

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
    def __init__(self, progress: Progress, description: str, total: int) -> None:
        self._progress = progress
        self._task = progress.add_task(description, total=total, note="")

    def advance(self, steps: int = 1, *, note: str = "") -> None:
        self._progress.update(self._task, advance=steps, note=note)


class _Lines:
    def __init__(self, description: str, total: int) -> None:
        self._description, self._total = description, total
        self._done = 0
        self._start = self._last = time.monotonic()

    def advance(self, steps: int = 1, *, note: str = "") -> None:
        self._done += steps
        now = time.monotonic()
        if now - self._last < SECONDS_BETWEEN_LINES:
            return
        self._last = now
        left = (now - self._start) / self._done * max(self._total - self._done, 0)
        log(
            f"{self._description}: {self._done:,} of {self._total:,}, about {left:.0f} s left {note}".rstrip()
        )


@contextmanager
def progress(description: str, *, total: int) -> Iterator[Work]:
    """Show the progress of `total` steps while the block runs."""
    if not console.is_terminal:
        yield _Lines(description, total)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        yield _Bar(bar, description, total)
