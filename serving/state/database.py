"""The store's file: one SQLite database with the event log, the live catalogue and what users asked for.

Readers never wait for a writer (WAL), and what was committed survives a power cut (`synchronous=FULL`). What
is deleted is overwritten (`secure_delete`). Only the user who made the file may read it.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from configs.exceptions import ServingError, StoreBusyError
from serving.state.event_log import (
    CREATE_EVENTS,
    CREATE_INDEXES,
    CREATE_MARKS,
    OTHER_EVENTS_INDEX,
    USER_TIME_INDEX,
)
from serving.state.item_table import CREATE_ITEMS, MERGE_FIELDS, merge_fields
from serving.state.user_tables import CREATE_USERS

logger = logging.getLogger("shopkeeper")

BUSY_SECONDS: Final = 60.0
"""How long a command waits for another process's transaction: an import locks the file for some seconds."""

MAX_WAL_BYTES: Final = 32 * 2**20
"""The write-ahead log is cut to this size at the next checkpoint after a long reader or a large import."""

_PRIVATE: Final = 0o600
_APPLICATION_ID: Final = 0x53484F50
_SCHEMA_VERSION: Final = 6
_MIGRATIONS: Final = {
    3: (f"DROP INDEX IF EXISTS {USER_TIME_INDEX}", CREATE_INDEXES[USER_TIME_INDEX]),
    4: (CREATE_INDEXES[OTHER_EVENTS_INDEX], *CREATE_ITEMS, *CREATE_USERS),
    5: (CREATE_MARKS,),
}
"""Schema version -> the statements that make it the next one. They run when the file is opened."""

WRITE_WITHOUT_CHANGE: Final = f"PRAGMA user_version={_SCHEMA_VERSION}"
"""SQL that writes to the file and changes nothing: it fails where an event could not be stored."""


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
            connection.create_function(MERGE_FIELDS, 2, merge_fields, deterministic=True)
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
    while tables and version in _MIGRATIONS:
        with transaction(connection):
            for statement in _MIGRATIONS[version]:
                connection.execute(statement)
            version += 1
            connection.execute(f"PRAGMA user_version={version}")
    if tables and version != _SCHEMA_VERSION:
        raise ServingError(
            f"{path}: this event store was written by another version of Shopkeeper (schema {version}, "
            f"expected {_SCHEMA_VERSION}): move it away and fill a new one with `shopkeeper events import`."
        )
    if not tables:
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # so that a trim can shorten the file
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA secure_delete=ON")
    connection.execute("PRAGMA cache_size=-32000")
    connection.execute(f"PRAGMA journal_size_limit={MAX_WAL_BYTES}")
    if tables:
        return
    with transaction(connection):
        connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={_SCHEMA_VERSION}")
        for statement in (*CREATE_EVENTS, *CREATE_INDEXES.values(), *CREATE_ITEMS, *CREATE_USERS):
            connection.execute(statement)
        connection.execute(CREATE_MARKS)


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
