"""Group commit: appends that arrive while the disk is busy share the next transaction, and so one fsync."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from serving.state.event_log import connect, insert_statement, transaction, translate_store_errors

MAX_GROUP: Final = 256
"""The most appends in one transaction."""

_INSERT: Final = insert_statement()

Rows = Sequence[tuple[object, ...]]


@dataclass(frozen=True)
class AppendResult:
    """How many events of one append were stored."""

    accepted: int
    duplicates: int
    """Events whose key was already in the log: not stored again."""


@dataclass(frozen=True)
class _Append:
    rows: Rows
    done: Future[AppendResult]


class GroupCommitWriter:
    """The writer thread of a process, with its own connection. Other processes may write to the same file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = connect(path)
        self._waiting: queue.SimpleQueue[_Append | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="event-writer", daemon=True)
        self._thread.start()

    def submit(self, rows: Rows) -> Future[AppendResult]:
        """Queue rows (the values of `LOG_COLUMNS`).

        The future is done when they are on disk, or fails with ServingError.
        """
        done: Future[AppendResult] = Future()
        self._waiting.put(_Append(rows, done))
        return done

    def close(self) -> None:
        """Write what is queued, then close the file."""
        self._waiting.put(None)
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            group, last = [first], False
            while len(group) < MAX_GROUP:
                try:
                    append = self._waiting.get_nowait()
                except queue.Empty:
                    break
                if append is None:
                    last = True
                    break
                group.append(append)
            self._write([append for append in group if append.done.set_running_or_notify_cancel()])
            if last:
                return

    def _write(self, group: list[_Append]) -> None:
        try:
            with translate_store_errors(self._path), transaction(self._connection):
                results = [self._insert(append.rows) for append in group]
        except Exception as error:
            for append in group:
                append.done.set_exception(error)
            return
        for append, result in zip(group, results, strict=True):
            append.done.set_result(result)

    def _insert(self, rows: Rows) -> AppendResult:
        accepted = sum(self._connection.execute(_INSERT, row).rowcount for row in rows)
        return AppendResult(accepted=accepted, duplicates=len(rows) - accepted)
