"""Group commit: writes that arrive while the disk is busy share the next transaction, and so one fsync.

A write waits a bounded time for the lock of the file, in a bounded queue: then it fails, and nothing of it
is stored.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from configs.exceptions import StoreBusyError
from serving.state.database import WRITE_WITHOUT_CHANGE, connect, transaction, translate_store_errors
from serving.state.statements import Statement

logger = logging.getLogger("shopkeeper")

MAX_GROUP: Final = 256
"""The most writes in one transaction."""
MAX_WAITING: Final = 1_024
"""The most writes in the queue; further ones are refused at once."""
GIVE_UP_SECONDS: Final = 2.0
"""How long a write waits for the lock while another program holds it."""

_TRY_SECONDS: Final = 0.002
"""How long one attempt waits for the lock, which another replica holds for as long as its fsync takes. SQLite
waits in steps that grow to a tenth of a second: two replicas that write would be idle most of the time."""


@dataclass(frozen=True, eq=False)
class _Write:
    statements: Sequence[Statement]
    done: Future[int]
    give_up_at: float
    """By `time.monotonic`"""


class GroupCommitWriter:
    """The writer thread of a process, with its own connection. Other processes may write to the same file."""

    def __init__(self, path: Path) -> None:
        self.trouble: Exception | None = None
        """Why the last write failed; None after one that succeeded"""
        self._path = path
        self._connection = connect(path, busy_seconds=_TRY_SECONDS)
        self._waiting: queue.Queue[_Write | None] = queue.Queue(MAX_WAITING)
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="event-writer", daemon=True)
        self._thread.start()

    def submit(self, statements: Sequence[Statement]) -> Future[int]:
        """Queue statements that are carried out together or not at all. None: the file is written and nothing
        is changed.

        The future is done when they are on disk, and says how many rows they changed; or it fails with
        ServingError. Raises StoreBusyError where the queue is full.
        """
        done: Future[int] = Future()
        try:
            self._waiting.put_nowait(_Write(statements, done, time.monotonic() + GIVE_UP_SECONDS))
        except queue.Full:
            raise StoreBusyError(f"{self._path}: {MAX_WAITING} writes wait already: try again.") from None
        return done

    def close(self) -> None:
        """Write what is queued, then close the file."""
        self._waiting.put(None)
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        group: list[_Write] = []
        while not self._is_closing or group:
            self._fill(group)
            group = self._write(group) if group else []

    def _fill(self, group: list[_Write]) -> None:
        """Add what is queued; wait for the first of an empty group."""
        while len(group) < MAX_GROUP and not self._is_closing:
            try:
                write = self._waiting.get(block=not group)
            except queue.Empty:
                return
            if write is None:
                self._is_closing = True
            elif write.done.set_running_or_notify_cancel():
                group.append(write)

    def _write(self, group: list[_Write]) -> list[_Write]:
        """Store a group in one transaction. Returns the writes that still wait for the lock."""
        try:
            with translate_store_errors(self._path), transaction(self._connection):
                results = [self._execute(write.statements) for write in group]
        except Exception as error:
            now, is_busy = time.monotonic(), isinstance(error, StoreBusyError)
            failed = [write for write in group if not is_busy or now >= write.give_up_at]
            if failed:
                self._note(error)
            for write in failed:
                write.done.set_exception(error)
            return [write for write in group if write not in failed] if is_busy else []
        self._note(None)
        for write, result in zip(group, results, strict=True):
            write.done.set_result(result)
        return []

    def _execute(self, statements: Sequence[Statement]) -> int:
        if not statements:
            self._connection.execute(WRITE_WITHOUT_CHANGE)
        return sum(self._connection.execute(sql, parameters).rowcount for sql, parameters in statements)

    def _note(self, error: Exception | None) -> None:
        """Keep how the last write went; the log has a line where that changes, not one a write."""
        if error is not None and self.trouble is None:
            logger.error("events are refused: %s", error)
        elif error is None and self.trouble is not None:
            logger.warning("%s: events are stored again.", self._path)
        self.trouble = error
