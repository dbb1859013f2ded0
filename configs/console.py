"""What long work says while it runs: a bar with time to end on a terminal, plain lines in a pipe."""

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
"""Progress and remarks go to stderr; a command's answer goes to stdout."""

COLUMNS_IN_A_PIPE = 160


def stdout() -> Console:
    """For what a command was asked for. In a pipe lines are wide, so that a table's rows stay whole."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else COLUMNS_IN_A_PIPE)


SECONDS_BETWEEN_LINES = 15.0


def log(message: str) -> None:
    """One line of progress."""
    console.print(message, markup=False)


class Work(Protocol):
    """Counts the steps of one piece of long work."""

    def advance(self, steps: int = 1, *, note: str = "") -> None:
        """Note that `steps` more are done; `note` (a loss, say) stands behind the bar."""


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
