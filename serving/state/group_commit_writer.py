"""Group commit: writes that arrive while the store is busy share the next transaction, and so one fsync.

A write waits a bounded time for a store that is locked or away, in a bounded queue: then it fails.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from configs.exceptions import StoreAwayError, StoreBusyError

logger = logging.getLogger("shopkeeper")

MAX_GROUP: Final = 256
"""The most writes in one transaction."""
MAX_WAITING: Final = 1_024
"""The most writes in the queue; further ones are refused at once."""
GIVE_UP_SECONDS: Final = 2.0
"""How long a write waits for the lock while another program holds it, or for a store that is away."""

Work = TypeVar("Work")
Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class _Write(Generic[Work, Result]):
    work: Work
    done: Future[Result]
    give_up_at: float
    """By `time.monotonic`"""


class GroupCommitWriter(ABC, Generic[Work, Result]):
    """The writer thread of a process, with its own connection. Other processes may write as well."""

    def __init__(self, name: str) -> None:
        """`name`: of the store, for messages."""
        self.trouble: Exception | None = None
        """Why the last write failed; None after one that succeeded"""
        self._name = name
        self._waiting: queue.Queue[_Write[Work, Result] | None] = queue.Queue(MAX_WAITING)
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="event-writer", daemon=True)
        self._thread.start()

    @abstractmethod
    def _commit(self, group: Sequence[Work]) -> Sequence[Result | Exception]:
        """Store a group so that it would survive a power cut. Returns the result of each, or why it alone was
        not stored. Raises ServingError where that holds for all; for StoreBusyError and StoreAwayError they
        are tried again until they have waited long enough."""

    @abstractmethod
    def _disconnect(self) -> None: ...

    def submit(self, work: Work) -> Future[Result]:
        """Queue work that is carried out as a whole or not at all.

        The future is done when it is on disk, with its result; or it fails with ServingError. Raises
        StoreBusyError where the queue is full.
        """
        done: Future[Result] = Future()
        try:
            self._waiting.put_nowait(_Write(work, done, time.monotonic() + GIVE_UP_SECONDS))
        except queue.Full:
            raise StoreBusyError(f"{self._name}: {MAX_WAITING} writes wait already: try again.") from None
        return done

    def close(self) -> None:
        """Write what is queued, then close the connection."""
        self._waiting.put(None)
        self._thread.join()
        self._disconnect()

    def _run(self) -> None:
        group: list[_Write[Work, Result]] = []
        while not self._is_closing or group:
            self._fill(group)
            group = self._write(group) if group else []

    def _fill(self, group: list[_Write[Work, Result]]) -> None:
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

    def _write(self, group: list[_Write[Work, Result]]) -> list[_Write[Work, Result]]:
        """Store a group. Returns the writes that are to be tried again."""
        try:
            results = self._commit([write.work for write in group])
        except Exception as error:
            now, is_busy = time.monotonic(), isinstance(error, StoreBusyError | StoreAwayError)
            failed = [write for write in group if not is_busy or now >= write.give_up_at]
            if failed:
                self._note(error)
            for write in failed:
                write.done.set_exception(error)
            return [write for write in group if write not in failed] if is_busy else []
        self._note(next((result for result in results if isinstance(result, Exception)), None))
        for write, result in zip(group, results, strict=True):
            if isinstance(result, Exception):
                write.done.set_exception(result)
            else:
                write.done.set_result(result)
        return []

    def _note(self, error: Exception | None) -> None:
        """Keep how the last write went; the log has a line where that changes, not one a write."""
        if error is not None and self.trouble is None:
            logger.error("events are refused: %s", error)
        elif error is None and self.trouble is not None:
            logger.warning("%s: events are stored again.", self._name)
        self.trouble = error
