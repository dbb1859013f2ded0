"""Old events are deleted from the file of SQLite, a few in a transaction, and the file becomes shorter."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final

from serving.state import protocol
from serving.state.database import transaction
from serving.state.protocol import TrimmedPart
from serving.state.user_tables import NOTE_CHANGE, TRIM_CHANGES

LOOK_NUMBERS: Final = 20_000
"""Numbers of events that are looked at in one query. No index is by time: a trim reads the table once."""
DELETE_ROWS: Final = 250
"""Events that are deleted in one transaction: others wait for so many."""
GIVE_BACK_PAGES: Final = 250
"""Pages that are taken off the end of the file in one transaction."""

_INCREMENTAL: Final = 2
"""`PRAGMA auto_vacuum`: a file whose free pages can be given back some at a time."""

_NUMBERS: Final = "SELECT ifnull(min(number), 0), ifnull(max(number), -1) FROM events"
_OLD: Final = "SELECT number FROM events WHERE number >= ? AND number < ? AND timestamp < ? ORDER BY number"
_DELETE: Final = "DELETE FROM events WHERE number >= ? AND number <= ? AND timestamp < ? RETURNING user_key"


def trim(
    connection: sqlite3.Connection, *, before: int, exported: int, dry_run: bool
) -> Iterator[TrimmedPart]:
    """See `TransferLog.trim`."""
    first, last = connection.execute(_NUMBERS).fetchone()
    total, trimmed, not_exported = last + 1 - first, 0, 0
    for start in range(first, last + 1, LOOK_NUMBERS):
        looked_at = min(start + LOOK_NUMBERS, last + 1) - first
        old = [number for (number,) in connection.execute(_OLD, (start, first + looked_at, before))]
        numbers = [number for number in old if number <= exported]
        not_exported += len(old) - len(numbers)
        if dry_run:
            trimmed += len(numbers)
        else:
            for place in range(0, len(numbers), DELETE_ROWS):
                part = numbers[place : place + DELETE_ROWS]
                trimmed += _delete(connection, part, before=before)
                yield TrimmedPart(part[-1] - first, total, trimmed, not_exported)
        yield TrimmedPart(looked_at, total, trimmed, not_exported)


def _delete(connection: sqlite3.Connection, numbers: list[int], *, before: int) -> int:
    """Delete all old events between the first and the last of these numbers, and note whose histories change.
    Returns how many they were."""
    with transaction(connection):
        deleted = connection.execute(_DELETE, (numbers[0], numbers[-1], before)).fetchall()
        connection.executemany(NOTE_CHANGE, sorted(set(deleted)))
        connection.execute(TRIM_CHANGES, (protocol.MAX_USER_CHANGES,))
    return len(deleted)


def give_back_space(connection: sqlite3.Connection) -> Iterator[None]:
    """See `TransferLog.give_back_space`."""
    (mode,) = connection.execute("PRAGMA auto_vacuum").fetchone()
    while mode == _INCREMENTAL and _free_pages(connection):
        connection.execute(f"PRAGMA incremental_vacuum({GIVE_BACK_PAGES})").fetchall()
        yield


def vacuum(connection: sqlite3.Connection) -> None:
    """Write the whole file anew, as one that can be shortened. It needs as much room again meanwhile."""
    connection.execute(f"PRAGMA auto_vacuum={_INCREMENTAL}")
    connection.execute("VACUUM")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _free_pages(connection: sqlite3.Connection) -> int:
    (pages,) = connection.execute("PRAGMA freelist_count").fetchone()
    return int(pages)
