"""The folder of one running server, and the processes that belong to it.

Everything that Ray and HAProxy write lies in the folder, and every process has its path in the environment.
So both can be found and removed after any end, and nothing of another server is ever touched.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Self

VARIABLE: Final = "SHOPKEEPER_RUN_FOLDER"
"""The environment variable that marks a process of the server."""

_PARENT: Final = Path("/tmp")  # sockets' paths are at most 107 bytes, TMPDIR may be long
_PREFIX: Final = "shopkeeper-"
_LOCK: Final = "lock"
_KILL_SECONDS: Final = 10.0


@dataclass(frozen=True)
class RunFolder:
    """A folder below /tmp that belongs to one server while its lock is held."""

    path: Path
    lock: IO[str] | None = None
    """Held by the process that made the folder, and free once that process is gone, however it ended"""

    @classmethod
    def create(cls) -> Self:
        """Make a new folder, after removing what servers that were killed have left."""
        remove_abandoned()
        path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_PARENT))
        new = path / f"{_LOCK}.new"
        lock = new.open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
        new.rename(path / _LOCK)  # others look at a lock that is held already
        return cls(path, lock)

    def processes(self) -> Iterator[tuple[int, str]]:
        """(process id, program) of the server's processes without this one. Linux only; elsewhere none."""
        mark = f"{VARIABLE}={self.path}".encode()
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if (
                    mark in (process / "environ").read_bytes().split(b"\0")
                    and int(process.name) != os.getpid()
                ):
                    yield int(process.name), (process / "comm").read_text().strip()
            except OSError:  # it has ended, or is another user's
                continue

    def end_processes(self) -> None:
        """Kill the server's processes without this one, until none is left."""
        until = time.monotonic() + _KILL_SECONDS
        while time.monotonic() < until and (found := list(self.processes())):
            for process, _ in found:
                try:
                    os.kill(process, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            time.sleep(0.05)

    def remove(self) -> None:
        """End the processes and delete the folder."""
        self.end_processes()
        shutil.rmtree(self.path, ignore_errors=True)
        if self.lock is not None:
            self.lock.close()


def remove_abandoned() -> None:
    """Remove the folders and processes of this user's servers that were killed."""
    for lock in _PARENT.glob(f"{_PREFIX}*/{_LOCK}"):
        try:
            with lock.open("r+") as file:
                if os.fstat(file.fileno()).st_uid != os.getuid():
                    continue
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                RunFolder(lock.parent).remove()
        except OSError:  # in use, another user's, or removed by another server that starts
            continue
