"""All that a store in SQLite keeps, as records."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from serving.state.database import connect, transaction, translate_store_errors
from serving.state.user_tables import NOTE_CHANGE
from serving.state.whole_store import COLUMNS, Kind, Record

_PART: Final = 2_000
"""Records of one transaction."""
_UNFINISHED: Final = "copying"
"""The mark of a store into which a copy was begun."""
_TABLES: Final = ("events", "items", "users", "suppressed", "imports", "marks", "user_changes")
_LAST: Final = "SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'"


class SqliteWhole:
    """See `WholeStore`."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path
        self._connection = connect(path)

    def close(self) -> None:
        self._connection.close()

    def salt(self) -> str:
        with translate_store_errors(self._path):
            (salt,) = self._connection.execute("SELECT salt FROM salt").fetchone()
        return str(salt).lower()

    def read(self, kind: Kind) -> Iterator[Sequence[Record]]:
        """Each part is a query of its own, so that no long reader holds up the write-ahead log."""
        first, columns = COLUMNS[kind][0], ", ".join(COLUMNS[kind])
        only = f"AND name != '{_UNFINISHED}'" if kind == "marks" else ""
        after: object = -1 if kind == "events" else ""
        query = f"SELECT {columns} FROM {kind} WHERE {first} > ? {only} ORDER BY {first} LIMIT {_PART}"
        while True:
            with translate_store_errors(self._path):
                rows = self._connection.execute(query, (after,)).fetchall()
            if not rows:
                return
            yield rows
            after = rows[-1][0]

    def write(self, kind: Kind, records: Sequence[Record]) -> None:
        columns = list(COLUMNS[kind])
        rows: Sequence[Record] = records
        if kind == "imports":
            columns, rows = [*columns, "imported_at"], [(*row, time.time_ns() // 1000) for row in records]
        insert = "INSERT OR IGNORE" if kind == "events" else "INSERT OR REPLACE"
        statement = f"{insert} INTO {kind} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
        with translate_store_errors(self._path), transaction(self._connection):
            self._connection.executemany(statement, rows)

    def num_events(self) -> int:
        with translate_store_errors(self._path):
            (count,) = self._connection.execute("SELECT count(*) FROM events").fetchone()
        return int(count)

    def last_number(self) -> int:
        with translate_store_errors(self._path):
            (number,) = self._connection.execute(_LAST).fetchone()
        return int(number)

    def is_unfinished(self) -> bool:
        with translate_store_errors(self._path):
            found = self._connection.execute("SELECT 1 FROM marks WHERE name = ?", (_UNFINISHED,))
            return found.fetchone() is not None

    def begin(self, *, salt: str) -> None:
        with translate_store_errors(self._path), transaction(self._connection):
            self._connection.execute("INSERT INTO marks VALUES (?, 1)", (_UNFINISHED,))
            self._connection.execute("UPDATE salt SET salt = ?", (salt,))

    def end(self, *, last_number: int) -> None:
        with translate_store_errors(self._path), transaction(self._connection):
            if last_number > self.last_number():
                self._connection.execute("DELETE FROM sqlite_sequence WHERE name = 'events'")
                self._connection.execute("INSERT INTO sqlite_sequence VALUES ('events', ?)", (last_number,))
            self._connection.execute("DELETE FROM marks WHERE name = ?", (_UNFINISHED,))
            self._connection.execute(NOTE_CHANGE, (None,))

    def clear(self) -> None:
        with translate_store_errors(self._path), transaction(self._connection):
            for table in _TABLES:
                self._connection.execute(f"DELETE FROM {table}")
            self._connection.execute("UPDATE salt SET salt = hex(randomblob(16))")
