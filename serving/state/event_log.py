"""The event log: one SQLite file with one append-only table of events, in raw ids. All user state is derived
from it.

Readers never wait for a writer (WAL), and a committed event survives a power cut (`synchronous=FULL`). Only
the user who made the file may read it.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path
from typing import Final

from configs.exceptions import ServingError, StoreBusyError
from features.core.columns import ITEM_EVENT_TYPES
from features.core.ids import user_key

logger = logging.getLogger("shopkeeper")

BUSY_SECONDS: Final = 60.0
"""How long a command waits for another process's transaction: an import locks the file for some seconds."""

MAX_WAL_BYTES: Final = 32 * 2**20
"""The write-ahead log is cut to this size at the next checkpoint after a long reader or a large import."""

_PRIVATE: Final = 0o600
_APPLICATION_ID: Final = 0x53484F50
_SCHEMA_VERSION: Final = 4
_NARROW_INDEX_VERSION: Final = 3
"""The same tables, with an index of histories that held no items: it is made anew when the log is opened."""

WRITE_WITHOUT_CHANGE: Final = f"PRAGMA user_version={_SCHEMA_VERSION}"
"""SQL that writes to the file and changes nothing: it fails where an event could not be stored."""


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
    quantity: float | None = None
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
    def user_key(self) -> str:
        """The key of the user whose event this is."""
        key = user_key(user_id=self.user_id, visitor_id=self.visitor_id)
        assert key is not None, "an event needs a user_id or a visitor_id"
        return key

    @property
    def key(self) -> EventKey:
        """What tells this row from every other, see `features.core.event_ids`."""
        return (self.event_id, self.event_type, self.item_id or "", self.line)


EventKey = tuple[str, str, str, int]
"""event_id, event_type, item_id ("" where there is none), line"""

EVENT_COLUMNS: Final = tuple(field.name for field in fields(Event))
LOG_COLUMNS: Final = ("user_key", "received_at", *EVENT_COLUMNS)
"""`received_at`: when the server received the event, in microseconds since 1970 UTC."""

EVENT_KEY: Final = "event_id, event_type, ifnull(item_id, ''), line"
"""SQL of an `EventKey`."""
SKIP_DUPLICATES: Final = f"ON CONFLICT ({EVENT_KEY}) DO NOTHING"

_SQL_TYPES: Final = {"str": "TEXT", "int": "INTEGER", "float": "REAL"}
_CREATE_TABLES: Final = (
    f"""
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY AUTOINCREMENT, user_key TEXT NOT NULL, received_at INTEGER NOT NULL,
    {", ".join(f"{field.name} {_SQL_TYPES[str(field.type).split(' ')[0]]}" for field in fields(Event))}
)""",
    """
CREATE TABLE IF NOT EXISTS imports (
    fingerprint TEXT PRIMARY KEY, events INTEGER NOT NULL, imported_at INTEGER NOT NULL
)""",
)
"""`events.number` counts up in the order of arrival."""

_ITEM_EVENT_TYPES_SQL: Final = ", ".join(f"'{name}'" for name in ITEM_EVENT_TYPES)
ITEM_EVENT: Final = f"item_id IS NOT NULL AND event_type IN ({_ITEM_EVENT_TYPES_SQL})"
"""SQL condition for the events that are part of a history: the same as in a dataset."""

EVENT_KEY_INDEX: Final = "events_by_key"
USER_TIME_INDEX: Final = "item_events_by_user_and_time"
USER_ARRIVAL_INDEX: Final = "item_events_by_user_and_number"
CREATE_INDEXES: Final = {
    EVENT_KEY_INDEX: f"CREATE UNIQUE INDEX IF NOT EXISTS {EVENT_KEY_INDEX} ON events ({EVENT_KEY})",
    USER_TIME_INDEX: f"CREATE INDEX IF NOT EXISTS {USER_TIME_INDEX} ON events "
    f"(user_key, timestamp, number, item_id, event_type, transaction_id, price) WHERE {ITEM_EVENT}",
    USER_ARRIVAL_INDEX: f"CREATE INDEX IF NOT EXISTS {USER_ARRIVAL_INDEX} ON events (user_key, number) "
    f"WHERE {ITEM_EVENT}",
}
"""Name of an index -> the statement that creates it. A first import creates them after its rows, which sorts
each index once. The index by user and time holds all that a history needs: one user's events lie on a page or
two of it, where the table has them on a page each."""

_event_values = attrgetter(*EVENT_COLUMNS)


def insert_statement(columns: Sequence[str] = LOG_COLUMNS) -> str:
    """SQL that inserts a row with these columns, unless the log already has its key."""
    placeholders = ", ".join("?" * len(columns))
    return f"INSERT INTO events ({', '.join(columns)}) VALUES ({placeholders}) {SKIP_DUPLICATES}"


def log_row(event: Event, *, received_at: int) -> tuple[object, ...]:
    """The values of `LOG_COLUMNS` for one event."""
    return (event.user_key, received_at, *_event_values(event))


def connect(path: Path, *, busy_seconds: float = BUSY_SECONDS, read_only: bool = False) -> sqlite3.Connection:
    """Open the log, or create it where there is none. Raises ServingError when the file cannot be used, or
    not be written; with `read_only`, that is no error.

    The connection is in autocommit mode, and waits for another's lock for `busy_seconds`. Several threads may
    use it, one at a time.
    """
    with translate_store_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if not read_only:
            _require_writable(path)
        _create_private(path)
        connection = sqlite3.connect(
            path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            _prepare(connection, path)
            _narrow(path)
            connection.execute(f"PRAGMA busy_timeout={round(busy_seconds * 1000)}")
        except BaseException:
            connection.close()
            raise
        return connection


def log_files(path: Path) -> tuple[Path, ...]:
    """The log and the two files that SQLite keeps beside it."""
    return (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm"))


def _require_writable(path: Path) -> None:
    """Raises ServingError. SQLite itself would open the file for reading, and fail at the first event."""
    for place in (path.parent, *log_files(path)):
        if place.exists() and not os.access(place, os.W_OK):
            raise ServingError(
                f"{place}: is read-only, and events are written there: allow this user to write to it, or "
                "choose another workspace with --out."
            )


def _create_private(path: Path) -> None:
    """Create an empty file for its owner alone; SQLite gives the files beside it the same mode.

    An existing file is never opened here: closing it would drop the locks of this process's connections.
    """
    with suppress(FileExistsError, PermissionError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, _PRIVATE))


def _narrow(path: Path) -> None:
    """Take others' rights away from a log that older versions made."""
    for file in log_files(path):
        mode = stat.S_IMODE(file.stat().st_mode) if file.is_file() else _PRIVATE
        if not mode & 0o077:
            continue
        what = f"{file} holds what users did, and others could read it (mode {mode:04o})"
        try:
            file.chmod(mode & 0o700)
            logger.warning("%s: narrowed to %04o.", what, mode & 0o700)
        except OSError as error:
            logger.warning("%s; it could not be narrowed (%s): chmod 600 it.", what, error.strerror)


@contextmanager
def translate_store_errors(path: Path) -> Iterator[None]:
    """Turn errors of SQLite and of the file system into a ServingError with a remedy."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if _is_busy(error):
            raise StoreBusyError(
                f"{path}: another program holds the event store's lock: end it, or try again later."
            ) from error
        remedy = "check that the disk has room and that you may write to the file and its folder"
        if "not a database" in str(error) or "malformed" in str(error):
            remedy = (
                "restore it from a backup, or move it away and fill a new one with `shopkeeper events import`"
            )
        raise ServingError(f"{path}: the event store cannot be used ({error}): {remedy}.") from error
    except OSError as error:
        remedy = "choose a folder you may write to with --out"
        raise ServingError(f"{path}: the event store cannot be created ({error}): {remedy}.") from error


def _is_busy(error: sqlite3.DatabaseError) -> bool:
    """Whether another connection holds the lock that was asked for."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Configure the connection, and create the tables in an empty file; refuse any other database."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if tables and application != _APPLICATION_ID:
        raise ServingError(
            f"{path}: this is a database of another program, not an event store (application id "
            f"{application:#x}, expected {_APPLICATION_ID:#x}): choose another folder with --out."
        )
    if tables and version == _NARROW_INDEX_VERSION:
        with transaction(connection):
            connection.execute(f"DROP INDEX IF EXISTS {USER_TIME_INDEX}")
            connection.execute(CREATE_INDEXES[USER_TIME_INDEX])
            connection.execute(f"PRAGMA user_version={_SCHEMA_VERSION}")
        version = _SCHEMA_VERSION
    if tables and version != _SCHEMA_VERSION:
        raise ServingError(
            f"{path}: this event store was written by another version of Shopkeeper (schema {version}, "
            f"expected {_SCHEMA_VERSION}): move it away and fill a new one with `shopkeeper events import`."
        )
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA cache_size=-32000")
    connection.execute(f"PRAGMA journal_size_limit={MAX_WAL_BYTES}")
    if tables:
        return
    with transaction(connection):
        connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={_SCHEMA_VERSION}")
        for statement in (*_CREATE_TABLES, *CREATE_INDEXES.values()):
            connection.execute(statement)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Hold the write lock of the file; commit at the end, or roll back after an error."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
