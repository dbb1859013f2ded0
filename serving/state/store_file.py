"""One process's way to the store's file: a connection to read, and a writer that groups commits."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from serving.state.database import connect, translate_store_errors
from serving.state.group_commit_writer import GroupCommitWriter
from serving.state.statements import Statement

READ_BUSY_SECONDS: Final = 0.5
"""How long a read waits for a lock. Writers hold none that readers need, but for SQLite's own repairs."""

CHECKPOINT_SECONDS: Final = 2.0
"""How long the end of a deletion waits for those who read the write-ahead log."""


class StoreFile:
    """Safe to use from several threads. Raises ServingError when the file is corrupt, foreign or unwritable,
    and StoreBusyError where another program holds its lock for some seconds."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.writer = GroupCommitWriter(path)
        self.inode = path.stat().st_ino
        self._reader = connect(path, busy_seconds=READ_BUSY_SECONDS)
        self._lock = threading.Lock()

    def close(self) -> None:
        """Write what is queued and close the file."""
        self.writer.close()
        with self._lock:
            self._reader.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection to read with; one thread at a time."""
        with self._lock, translate_store_errors(self.path):
            yield self._reader

    async def write(self, statements: Sequence[Statement]) -> int:
        """Carry out statements, all or none. Returns when they would survive a power cut, with the number of
        rows that they changed."""
        return await asyncio.wrap_future(self.writer.submit(statements))

    async def empty_write_ahead_log(self) -> None:
        """Move it into the database: it may hold what was deleted."""
        await asyncio.to_thread(self._checkpoint)

    def _checkpoint(self) -> None:
        with translate_store_errors(self.path):
            connection = connect(self.path, busy_seconds=CHECKPOINT_SECONDS)
            try:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                connection.close()
