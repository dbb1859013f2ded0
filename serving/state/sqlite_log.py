"""The log as a whole in SQLite, for imports, exports and trims."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import polars as pl

from features.core.forgotten import FOREVER, Forgotten
from serving.state import sqlite_trimming
from serving.state.database import connect, transaction, translate_store_errors
from serving.state.event_log import CREATE_INDEXES, EVENT_COLUMNS, SKIP_DUPLICATES, insert_statement
from serving.state.protocol import Mark, TrimmedPart

SCAN_ROWS: Final = 100_000

_LAST_NUMBER: Final = "SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'"
_SET_MARK: Final = "INSERT INTO marks VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
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

    def last_number(self) -> int:
        with translate_store_errors(self._path):
            (number,) = self._connection.execute(_LAST_NUMBER).fetchone()
        return int(number)

    def mark(self, name: Mark) -> int | None:
        with translate_store_errors(self._path):
            row = self._connection.execute("SELECT value FROM marks WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def set_mark(self, name: Mark, value: int | None) -> None:
        with translate_store_errors(self._path), transaction(self._connection):
            if value is None:
                self._connection.execute("DELETE FROM marks WHERE name = ?", (name,))
            else:
                self._connection.execute(_SET_MARK, (name, value))

    def trim(self, *, before: int, exported: int, dry_run: bool = False) -> Iterator[TrimmedPart]:
        with translate_store_errors(self._path):
            yield from sqlite_trimming.trim(
                self._connection, before=before, exported=exported, dry_run=dry_run
            )

    def give_back_space(self) -> Iterator[None]:
        """A file that an earlier version made cannot be shortened so: `vacuum` can."""
        with translate_store_errors(self._path):
            yield from sqlite_trimming.give_back_space(self._connection)

    def vacuum(self) -> None:
        with translate_store_errors(self._path):
            sqlite_trimming.vacuum(self._connection)

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
