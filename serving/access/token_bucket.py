"""How often a key may call."""

from __future__ import annotations

import time
from collections.abc import Callable


class TokenBucket:
    """Lets `per_second` requests through in the long run, and at once as many as a second brings, but one at
    least."""

    def __init__(self, *, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second, self._clock = per_second, clock
        self._most = self._left = max(1.0, per_second)
        self._then = clock()

    def wait_s(self) -> float:
        """Take a place: 0 where there was one, else the seconds until there is."""
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._then) * self._per_second)
        self._then = now
        if self._left < 1:
            return (1 - self._left) / self._per_second
        self._left -= 1
        return 0.0
