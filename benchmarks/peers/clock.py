"""The clock of every runner: counts training time, asks for lists at given times, and writes both down.

Needs NumPy only. `notes.jsonl` in the runner's folder gets a line per epoch (`{"epoch": 1, "seconds": 17.2}`,
without the time of lists), a line per set of lists (`{"lists": "lists-00.npy", "seconds": 31.0, "epochs":
1}`), and a line with the versions.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

SECONDS_BETWEEN_LINES = 15.0


def read_settings() -> dict[str, Any]:
    """The settings, from the JSON file that is the runner's only argument."""
    settings: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    return settings


def read_sequences(path: str) -> list[list[int]]:
    """Each user's items, oldest first, from a file with a line `user item item ...` per user."""
    return [
        [int(item) for item in line.split()[1:]]
        for line in Path(path).read_text(encoding="utf-8").splitlines()
    ]


class Clock:
    """Runs from `start` on, and is stopped while lists are made.

    `recommend` returns the current model's lists: (users in the order of the file, K) item ids of the file,
    -1 where a list is short.
    """

    def __init__(self, settings: dict[str, Any], recommend: Callable[[], Any]) -> None:
        self._name, self._out, self._recommend = settings["name"], Path(settings["out"]), recommend
        self._marks = [60 * minutes for minutes in sorted(settings["marks"])]
        self._budget = 60 * settings["minutes"]
        self._started = self._epoch_started = self._reported = 0.0
        self._paused = 0.0
        self._num_lists = self._num_epochs = self._num_steps = 0

    def start(self, packages: tuple[str, ...]) -> None:
        """Start the clock: everything that the library does with the sequences from here on counts."""
        self._note(versions={name: _version(name) for name in ("python", "torch", *packages)})
        self._started = self._reported = time.monotonic()
        self._paused = 0.0

    @property
    def seconds(self) -> float:
        """Seconds of training so far."""
        return time.monotonic() - self._started - self._paused

    def begin_epoch(self) -> None:
        """Note the time; `end_epoch` counts from here."""
        self._epoch_started = self.seconds

    def end_step(self) -> bool:
        """True when the time is up and at least one epoch is complete."""
        self._num_steps += 1
        if time.monotonic() - self._reported > SECONDS_BETWEEN_LINES:
            self._reported = time.monotonic()
            self._report(
                f"{self.seconds:.0f} of {self._budget:.0f} s, epoch {self._num_epochs + 1}, step "
                f"{self._num_steps}"
            )
        if self._marks and self.seconds >= self._marks[0]:
            self.write_lists()
        return self._is_over()

    def end_epoch(self, seconds: float | None = None, *, ahead: float = 0.0) -> bool:
        """Write down an epoch; True when the time is up.

        Args:
            seconds: the time of its steps, where that is less than the time since `begin_epoch`.
            ahead: seconds until the next call; lists that are due before it are made now.
        """
        self._num_epochs += 1
        took = self.seconds - self._epoch_started if seconds is None else seconds
        self._note(epoch=self._num_epochs, seconds=round(took, 3))
        self._report(
            f"epoch {self._num_epochs} took {took:.1f} s; {self.seconds:.0f} of {self._budget:.0f} s"
        )
        if self._num_epochs == 1 or (self._marks and self.seconds + ahead >= self._marks[0]):
            self.write_lists(ahead=ahead)
        return self._is_over(ahead=ahead)

    def write_lists(self, *, ahead: float = 0.0) -> None:
        """Write the current model's lists, in time that does not count."""
        seconds, stopped = self.seconds, time.monotonic()
        file = f"lists-{self._num_lists:02}.npy"
        np.save(self._out / file, np.asarray(self._recommend(), np.int64))
        self._note(lists=file, seconds=round(seconds, 3), epochs=self._num_epochs)
        self._num_lists += 1
        self._marks = [mark for mark in self._marks if mark > seconds + ahead]
        self._report(f"lists after {seconds:.0f} s, made in {time.monotonic() - stopped:.0f} s")
        self._paused += time.monotonic() - stopped

    def _is_over(self, *, ahead: float = 0.0) -> bool:
        return self._num_epochs > 0 and self.seconds + ahead >= self._budget

    def _note(self, **entries: Any) -> None:
        with (self._out / "notes.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(entries) + "\n")

    def _report(self, message: str) -> None:
        sys.stdout.write(f"{self._name}: {message}\n")
        sys.stdout.flush()


def _version(name: str) -> str | None:
    if name == "python":
        return sys.version.split()[0]
    try:
        return version(name)
    except PackageNotFoundError:
        return None
