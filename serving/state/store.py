"""The event store of one process in SQLite: durable writes, and every user's history from memory.

The log on disk is the only source of truth. What is cached in memory can be rebuilt from it at any time, so a
process may be killed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self

from configs.exceptions import StoreBusyError
from features.core.artefact import FULL_DISK_BYTES
from features.histories import History
from serving.state.database import connect, translate_store_errors
from serving.state.event_log import (
    EVENT_COLUMNS,
    EVENT_KEY,
    ITEM_EVENT,
    USER_ARRIVAL_INDEX,
    USER_TIME_INDEX,
    Event,
    insert_statement,
    log_row,
)
from serving.state.history_caches import HistoryCaches
from serving.state.history_queries import HistoryQueries
from serving.state.item_store import ItemStore
from serving.state.protocol import ActiveUser, AppendResult
from serving.state.statements import Statement
from serving.state.store_file import READ_BUSY_SECONDS, StoreFile
from serving.state.user_store import UserStore

STORE_FILE: Final = "events.db"
"""Its name in the workspace."""

PROBE_SECONDS: Final = 5.0
"""`write_trouble` writes at most so often."""

_NEXT_USER: Final = f"SELECT min(user_key) FROM events INDEXED BY {USER_TIME_INDEX} WHERE {ITEM_EVENT}"
_LATEST_TIME: Final = f"""
SELECT max(timestamp) FROM events INDEXED BY {USER_TIME_INDEX}
WHERE events.user_key = users.user_key AND {ITEM_EVENT}
"""
_RECENTLY_ACTIVE: Final = f"""
WITH RECURSIVE users (user_key) AS (
    {_NEXT_USER}
    UNION ALL
    SELECT ({_NEXT_USER} AND events.user_key > users.user_key) FROM users WHERE users.user_key IS NOT NULL
)
SELECT user_key, ({_LATEST_TIME}) AS latest FROM users
WHERE user_key IS NOT NULL ORDER BY latest DESC, user_key LIMIT ?
"""
"""A skip scan: two steps in the index for each user, however many events they have. 1.5 M events take
milliseconds, where GROUP BY took more than ten seconds on a cold disk."""
_LATEST_EVENTS: Final = f"""
SELECT {", ".join(EVENT_COLUMNS)} FROM events INDEXED BY {USER_TIME_INDEX}
WHERE user_key = ? AND {ITEM_EVENT} ORDER BY timestamp DESC, number DESC LIMIT ?
"""
_HAS_KEY: Final = f"SELECT 1 FROM events WHERE ({EVENT_KEY}) = (?, ?, ?, ?)"
_NUM_EVENTS: Final = (
    f"SELECT count(*) FROM events INDEXED BY {USER_ARRIVAL_INDEX} WHERE user_key = ? AND {ITEM_EVENT}"
)


_INSERT: Final = insert_statement()


class EventStore:
    """Open with `EventStore.open(path)`, or as a context manager. Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = StoreFile(path)
        self.items, self.users = ItemStore(self._file), UserStore(self._file)
        self._next_probe = 0.0
        self._caches = HistoryCaches()
        with self._file.reading() as reader:
            self._queries = HistoryQueries(reader)

    @classmethod
    def open(cls, path: Path) -> EventStore:
        """Open the log at `path`, or create an empty one. Raises ServingError when it is corrupt, foreign or
        unwritable."""
        return cls(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write what is queued and close the file."""
        self._file.close()

    async def append(self, events: Sequence[Event], *, received_at: int) -> AppendResult:
        """Store events; returns when they would survive a power cut. Raises ServingError when they could not
        be stored, and StoreBusyError where another program holds the lock for some seconds or the queue is
        full; then nothing of them is stored.

        An event whose key is already in the log counts as a duplicate. The next `history` of any
        process includes the new events. `received_at` in microseconds since 1970 UTC.
        """
        accepted = await self._file.write(_inserts(events, received_at))
        return AppendResult(accepted, len(events) - accepted)

    def append_now(self, events: Sequence[Event], *, received_at: int) -> AppendResult:
        """`append` for programs without an event loop."""
        accepted = self._file.writer.submit(_inserts(events, received_at)).result()
        return AppendResult(accepted, len(events) - accepted)

    def history(self, key: str, item_index: Mapping[str, int], *, limit: int) -> History:
        """The latest `limit` item events of a user, oldest first, with items as indices of `item_index`.

        Events with items that `item_index` lacks are left out, and do not count. Takes microseconds when
        there are no new events, and one indexed query otherwise.
        """
        with self._file.reading() as reader:
            self._caches.drop(self.users.changed(reader))
            return self._caches.history(self._queries, key, item_index, limit=limit)

    def forget_histories(self) -> None:
        """Drop what is in memory of users: with another bundle their items have other numbers."""
        with self._file.reading():
            self._caches.drop([None])

    def latest_events(self, user_key: str, *, limit: int) -> list[Event]:
        """The latest item events of a user in raw ids, newest first."""
        with self._file.reading() as reader:
            rows = reader.execute(_LATEST_EVENTS, (user_key, limit)).fetchall()
        return [Event(*row) for row in rows]

    def without_stored(self, events: Sequence[Event]) -> list[Event]:
        """The events that the log does not have yet, each once."""
        new = {event.key: event for event in events}
        with self._file.reading() as reader:
            return [event for key, event in new.items() if not reader.execute(_HAS_KEY, key).fetchone()]

    def num_events(self, user_key: str) -> int:
        """How many item events the log has of a user."""
        with self._file.reading() as reader:
            (count,) = reader.execute(_NUM_EVENTS, (user_key,)).fetchone()
        return int(count)

    def recently_active_users(self, limit: int) -> list[ActiveUser]:
        """The users with the latest events, latest first."""
        with translate_store_errors(self.path):
            connection = connect(self.path, busy_seconds=READ_BUSY_SECONDS, read_only=True)
            try:
                rows = connection.execute(_RECENTLY_ACTIVE, (limit,)).fetchall()
                counts = [connection.execute(_NUM_EVENTS, (key,)).fetchone()[0] for key, _ in rows]
            finally:
                connection.close()
        return [ActiveUser(key, count, latest) for (key, latest), count in zip(rows, counts, strict=True)]

    @property
    def num_cached_users(self) -> int:
        """How many histories are in memory."""
        return len(self._caches.users)

    @property
    def num_cached_events(self) -> int:
        """How many events these histories have together."""
        return self._caches.num_events

    def check(self) -> None:
        """Raise ServingError when the log cannot be read."""
        with self._file.reading() as reader:
            reader.execute("SELECT number FROM events LIMIT 1").fetchone()

    def write_trouble(self) -> str | None:
        """Why an event would be refused now; None where it would be stored. Never waits.

        Looks at the file and its disk, and at how the last write went. It starts one that changes nothing,
        every few seconds at most, whose outcome the next call knows.
        """
        try:
            if self.path.stat().st_ino != self._file.inode:
                return "the event log's file was replaced: restart the server"
            free = shutil.disk_usage(self.path.parent).free
        except OSError as error:
            return f"the event log's file is gone ({error.strerror}): restore it and restart the server"
        if not (os.access(self.path, os.W_OK) and os.access(self.path.parent, os.W_OK)):
            return "the event log is read-only"
        if free < FULL_DISK_BYTES:
            return "the event log's disk is full"
        self._probe()
        match self._file.writer.trouble:
            case None:
                return None
            case StoreBusyError():
                return "another program holds the event log's lock"
            case _:
                return "the event log cannot be written: see the server's log"

    def _probe(self) -> None:
        now = time.monotonic()
        if now >= self._next_probe:
            self._next_probe = now + PROBE_SECONDS
            with contextlib.suppress(StoreBusyError):
                self._file.writer.submit([])


def _inserts(events: Sequence[Event], received_at: int) -> list[Statement]:
    return [(_INSERT, log_row(event, received_at=received_at)) for event in events]
