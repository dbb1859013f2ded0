"""How long a counted work still takes, from the steps that were done."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

WARM_UP_STEPS: Final = 2
"""The first steps also load, allocate and compile, and say nothing about the others."""


class Pace:
    """Counts steps, and says how many seconds are left."""

    def __init__(self, total: int, *, at_most: Callable[[], float] | None = None) -> None:
        """`at_most` gives the seconds until the work is ended, whatever is left of it."""
        self.total, self.done = total, 0
        self._at_most = at_most
        self._warm: tuple[float, int] | None = None
        """When the first steps were over, and how many they were"""
        self._last = time.monotonic()

    def advance(self, steps: int) -> None:
        """Count `steps` more."""
        self.done, self._last = self.done + steps, time.monotonic()
        if self._warm is None and self.done >= WARM_UP_STEPS:
            self._warm = self._last, self.done

    def seconds_left(self) -> float | None:
        """None as long as that is unknown."""
        most = self._at_most() if self._at_most else None
        if self._warm is None or self.done == self._warm[1]:
            return most
        since, at = self._warm
        left = (self._last - since) / (self.done - at) * max(self.total - self.done, 0)
        return left if most is None else min(left, most)


def duration(seconds: float | None) -> str:
    """`45 s`, `3 min`, `2 h 5 min`; a dash for None."""
    if seconds is None:
        return "–"
    if seconds < 120:
        return f"{max(seconds, 0):.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
