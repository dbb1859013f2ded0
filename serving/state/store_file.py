"""One process's way to the store's file: a connection to read, and a writer that groups commits."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from serving.state.database import connect, translate_store_errors
from serving.state.sqlite_writer import SqliteWriter
from serving.state.statements import Statement

logger = logging.getLogger("shopkeeper")

READ_BUSY_SECONDS: Final = 0.5
"""How long a read waits for a lock. Writers hold none that readers need, but for SQLite's own repairs."""

CHECKPOINT_SECONDS: Final = 2.0
"""How long a try to empty the write-ahead log waits for those who read it."""
CHECKPOINT_TRIES: Final = 3


class StoreFile:
    """Safe to use from several threads. Raises ServingError when the file is corrupt, foreign or unwritable,
    and StoreBusyError where another program holds its lock for some seconds."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.writer = SqliteWriter(path)
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
        """Move it into the database: it may hold what was deleted. Where others read or write it all the
        while, that is logged, and left to the next checkpoint."""
        await asyncio.to_thread(self._checkpoint)

    def _checkpoint(self) -> None:
        with translate_store_errors(self.path):
            connection = connect(self.path, busy_seconds=CHECKPOINT_SECONDS)
            try:
                for _ in range(CHECKPOINT_TRIES):
                    (is_busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                    if not is_busy:
                        return
            finally:
                connection.close()
        logger.warning("%s: the write-ahead log is in use, and still holds what was deleted.", self.path)
