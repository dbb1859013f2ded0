"""The log as a whole in SQLite, for imports and exports."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import polars as pl

from features.core.forgotten import FOREVER, Forgotten
from serving.state.database import connect, transaction, translate_store_errors
from serving.state.event_log import CREATE_INDEXES, EVENT_COLUMNS, SKIP_DUPLICATES, insert_statement

SCAN_ROWS: Final = 100_000

_SCAN: Final = f"SELECT number, {', '.join(EVENT_COLUMNS)} FROM events ORDER BY number LIMIT ?"


class SqliteLog:
    """A `TransferLog`. Raises ServingError."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.name = path.name
        self._path = path
        self._connection = connect(path, read_only=read_only)

    def close(self) -> None:
        self._connection.close()

    def has_import(self, fingerprint: str) -> bool:
        with translate_store_errors(self._path):
            found = self._connection.execute("SELECT 1 FROM imports WHERE fingerprint = ?", (fingerprint,))
            return found.fetchone() is not None

    def insert(self, chunks: Iterator[pl.DataFrame]) -> int:
        """An empty log is filled in one transaction, which is stored completely or not at all. A log with
        events gets a transaction for every chunk, so that a live server can write in between."""
        with translate_store_errors(self._path):
            before = self._connection.total_changes
            if self._connection.execute("SELECT 1 FROM events LIMIT 1").fetchone() is None:
                _fill_empty_log(self._connection, chunks)
            else:
                _insert_missing(self._connection, chunks)
            return self._connection.total_changes - before

    def note_import(self, fingerprint: str, *, num_events: int) -> None:
        values = (fingerprint, num_events, time.time_ns() // 1000)
        with translate_store_errors(self._path), transaction(self._connection):
            self._connection.execute("INSERT OR IGNORE INTO imports VALUES (?, ?, ?)", values)

    def num_events(self) -> int:
        with translate_store_errors(self._path):
            (count,) = self._connection.execute("SELECT count(*) FROM events").fetchone()
        return int(count)

    def scan(self) -> Iterator[Sequence[tuple[object, ...]]]:
        with translate_store_errors(self._path):
            cursor = self._connection.execute(_SCAN, (self.num_events(),))
            while rows := cursor.fetchmany(SCAN_ROWS):
                yield rows

    def attributes(self) -> Sequence[tuple[str, str]]:
        with translate_store_errors(self._path):
            rows = self._connection.execute("SELECT user_key, attributes FROM users ORDER BY user_key")
            return rows.fetchall()

    def forgotten(self) -> Forgotten | None:
        with translate_store_errors(self._path):
            (salt,) = self._connection.execute("SELECT salt FROM salt").fetchone()
            rows = self._connection.execute("SELECT user_hash, reason, at FROM suppressed").fetchall()
        until = {user: at if reason == "deleted" else FOREVER for user, reason, at in rows}
        return Forgotten(bytes.fromhex(salt), until) if until else None


def _fill_empty_log(connection: sqlite3.Connection, chunks: Iterator[pl.DataFrame]) -> None:
    """Insert everything in one transaction, and create the indexes after the rows. The tables hold no
    duplicates."""
    with transaction(connection):
        for name in CREATE_INDEXES:
            connection.execute(f"DROP INDEX {name}")
        for chunk in chunks:
            insert = insert_statement(chunk.columns).removesuffix(SKIP_DUPLICATES)
            connection.executemany(insert, chunk.iter_rows())
        for statement in CREATE_INDEXES.values():
            connection.execute(statement)


def _insert_missing(connection: sqlite3.Connection, chunks: Iterator[pl.DataFrame]) -> None:
    """Insert the events that the log does not have yet."""
    for chunk in chunks:
        with transaction(connection):
            connection.executemany(insert_statement(chunk.columns), chunk.iter_rows())
