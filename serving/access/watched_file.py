"""A small file that is read again when it has changed."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

_LOOK_SECONDS: Final = 1.0
"""Between two looks at the file: a change counts after as long at the latest."""

Content = TypeVar("Content")


class WatchedFile(Generic[Content]):
    """What a file says now. To ask costs a look at the clock, and once a second one at the file."""

    def __init__(
        self, path: Path, read: Callable[[Path], Content], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`read` makes the content of the file, also of one that is absent or damaged, and raises nothing."""
        self._path, self._read, self._clock = path, read, clock
        self._next_look = clock() + _LOOK_SECONDS
        self._seen = self._look()
        self._content = read(path)

    def content(self) -> Content:
        """As `read` made it when the file last changed."""
        now = self._clock()
        if now >= self._next_look:
            self._next_look = now + _LOOK_SECONDS
            seen = self._look()
            if seen != self._seen:
                self._seen, self._content = seen, self._read(self._path)
        return self._content

    def _look(self) -> tuple[int, ...] | None:
        """What differs when the file was replaced or written; None for a file that is not there."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_ctime_ns
