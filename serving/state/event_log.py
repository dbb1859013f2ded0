"""The event log: one SQLite file with one append-only table of events, in raw ids. Everything about people is
made from it.

Readers never wait for a writer (WAL), and a committed event survives a power cut (`synchronous=FULL`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path
from typing import Final

from configs.exceptions import ServingError
from features.core.columns import ITEM_EVENT_TYPES
from features.core.ids import user_key

BUSY_SECONDS: Final = 60.0
"""How long a writer waits for another process's transaction: an import holds the file for some seconds."""

_APPLICATION_ID: Final = 0x53484F50
_SCHEMA_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Event:
    """One item of one event: a row of the log. Times are microseconds since 1970 UTC."""

    event_id: str
    line: int
    event_type: str
    timestamp: int
    user_id: str | None = None
    visitor_id: str | None = None
    session_id: str | None = None
    item_id: str | None = None
    quantity: int | None = None
    price: float | None = None
    currency: str | None = None
    transaction_id: str | None = None
    coupon: str | None = None
    surface: str | None = None
    position: int | None = None
    recommendation_id: str | None = None
    search_term: str | None = None
    rating: float | None = None
    review_text: str | None = None
    duration_s: float | None = None
    channel: str | None = None
    device: str | None = None
    country: str | None = None
    source: str | None = None
    medium: str | None = None
    campaign: str | None = None
    attributes: str | None = None
    """A JSON object."""

    @property
    def who(self) -> str:
        """The key of the person this event belongs to."""
        who = user_key(user_id=self.user_id, visitor_id=self.visitor_id)
        assert who is not None, "an event without user_id and visitor_id was let in"
        return who


EVENT_COLUMNS: Final = tuple(field.name for field in fields(Event))
LOG_COLUMNS: Final = ("who", "received_at", *EVENT_COLUMNS)
"""`received_at`: when this shop's server took the event, in microseconds since 1970 UTC."""

ONCE: Final = "ON CONFLICT (event_id, line) DO NOTHING"

_SQL_TYPES: Final = {"str": "TEXT", "int": "INTEGER", "float": "REAL"}
_CREATE_TABLES: Final = f"""
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY AUTOINCREMENT, who TEXT NOT NULL, received_at INTEGER NOT NULL,
    {", ".join(f"{field.name} {_SQL_TYPES[str(field.type).split(' ')[0]]}" for field in fields(Event))}
);
CREATE TABLE IF NOT EXISTS imports (fingerprint TEXT PRIMARY KEY, events INTEGER NOT NULL, imported_at INTEGER NOT NULL);
"""
_NAMES_OF_ITEM_EVENTS: Final = ", ".join(f"'{name}'" for name in ITEM_EVENT_TYPES)
ITEM_EVENT: Final = f"item_id IS NOT NULL AND event_type IN ({_NAMES_OF_ITEM_EVENTS})"
"""SQL for the events that stand in a history: the same as in a dataset."""

INDEXES: Final = {
    "one_of_each": "CREATE UNIQUE INDEX IF NOT EXISTS one_of_each ON events (event_id, line)",
    "latest_of_person": "CREATE INDEX IF NOT EXISTS latest_of_person ON events (who, timestamp, number) "
    f"WHERE {ITEM_EVENT}",
    "new_of_person": f"CREATE INDEX IF NOT EXISTS new_of_person ON events (who, number) WHERE {ITEM_EVENT}",
}
"""Made after a first import, so that its rows are sorted once."""

_event_values = attrgetter(*EVENT_COLUMNS)


def insert_statement(columns: Sequence[str] = LOG_COLUMNS) -> str:
    """SQL that adds a row with these columns, unless the log has its (event_id, line)."""
    return f"INSERT INTO events ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))}) {ONCE}"


def log_row(event: Event, *, received_at: int) -> tuple[object, ...]:
    """The values of `LOG_COLUMNS` for one event."""
    return (event.who, received_at, *_event_values(event))


def connect(path: Path) -> sqlite3.Connection:
    """Open the log, making it where there is none. Raises ServingError when the file cannot be used.

    The connection is in autocommit mode and may be handed from thread to thread, one at a time.
    """
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
        return connection


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite or the file system says into a ServingError with a remedy."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        remedy = "check that the disk has room and that you may write to the file and its folder"
        if "not a database" in str(error) or "malformed" in str(error):
            remedy = (
                "restore it from a backup, or move it away and fill a new one with `shopkeeper events import`"
            )
        raise ServingError(f"{path}: the event store cannot be used ({error}): {remedy}.") from error
    except OSError as error:
        raise ServingError(
            f"{path}: the event store cannot be made ({error}): choose a folder you may write to with --out."
        ) from error


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Set the connection up, and make the tables in an empty file; a file of someone else is refused."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if tables and (application, version) != (_APPLICATION_ID, _SCHEMA_VERSION):
        raise ServingError(
            f"{path}: is no event store of this version (application id {application:#x}, schema {version}; "
            f"expected {_APPLICATION_ID:#x}, {_SCHEMA_VERSION}): move it away, or choose another folder "
            "with --out."
        )
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA cache_size=-32000")
    if tables:
        return
    with transaction(connection):
        connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={_SCHEMA_VERSION}")
        for statement in (*_CREATE_TABLES.strip().rstrip(";").split(";\n"), *INDEXES.values()):
            connection.execute(statement)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Hold the one write lock of the file; commit at the end, or undo everything after an error."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
