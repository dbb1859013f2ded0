"""The event store of one process: durable appends, and everyone's history from memory.

The log on the disk is the truth; what is kept in memory can be made from it at any time, so a process may be
killed.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from features.histories import History
from serving.state.event_log import EVENT_COLUMNS, ITEM_EVENT, Event, connect, explained, log_row
from serving.state.group_writer import AppendResult, GroupWriter
from serving.state.user_history_cache import UserHistoryCache

STORE_FILE: Final = "events.db"
"""Its name in the workspace."""

MAX_PEOPLE_KEPT: Final = 10_000
"""People whose histories stay in memory; the ones asked for longest ago are forgotten first."""

_NEXT_PERSON: Final = f"SELECT min(who) FROM events INDEXED BY latest_of_person WHERE {ITEM_EVENT}"
_LATEST_OF_PERSON: Final = f"SELECT max(timestamp) FROM events INDEXED BY latest_of_person WHERE events.who = people.who AND {ITEM_EVENT}"
_LATELY_ACTIVE: Final = f"""
WITH RECURSIVE people (who) AS (
    {_NEXT_PERSON}
    UNION ALL
    SELECT ({_NEXT_PERSON} AND events.who > people.who) FROM people WHERE people.who IS NOT NULL
)
SELECT who, ({_LATEST_OF_PERSON}) AS latest FROM people WHERE who IS NOT NULL ORDER BY latest DESC, who LIMIT ?
"""
"""Two steps in the index for each person, however many events they have: 1.5 M events in milliseconds, where
grouping them took more than ten seconds on a cold disk."""
_LATEST_EVENTS: Final = (
    f"SELECT {', '.join(EVENT_COLUMNS)} FROM events INDEXED BY latest_of_person WHERE who = ? AND "
    f"{ITEM_EVENT} "
    "ORDER BY timestamp DESC, number DESC LIMIT ?"
)
_COUNT_OF_PERSON: Final = (
    f"SELECT count(*) FROM events INDEXED BY new_of_person WHERE who = ? AND {ITEM_EVENT}"
)


@dataclass(frozen=True)
class ActivePerson:
    """Someone with item events in the log."""

    who: str
    num_events: int
    latest: int
    """Time of the latest event, microseconds since 1970 UTC."""


class EventStore:
    """Open with `EventStore.open(path)`, or as a context manager. Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer = GroupWriter(path)
        self._reader = connect(path)
        self._lock = threading.Lock()
        self._people: OrderedDict[str, UserHistoryCache] = OrderedDict()

    @classmethod
    def open(cls, path: Path) -> EventStore:
        """Open the log at `path`, or make an empty one. Raises ServingError when it is corrupt, foreign or
        unwritable."""
        return cls(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write what is queued and close the file."""
        self._writer.close()
        with self._lock:
            self._reader.close()

    async def append(self, events: Sequence[Event], *, received_at: int) -> AppendResult:
        """Store events; returns when they would survive a power cut. Raises ServingError when they could not
        be stored.

        An event whose (event_id, line) is in the log already counts as a duplicate. The next `history` of any
        process sees them.
        """
        rows = [log_row(event, received_at=received_at) for event in events]
        return await asyncio.wrap_future(self._writer.submit(rows))

    def append_now(self, events: Sequence[Event], *, received_at: int) -> AppendResult:
        """`append` for programs without an event loop."""
        rows = [log_row(event, received_at=received_at) for event in events]
        return self._writer.submit(rows).result()

    def history(self, who: str, item_index: Mapping[str, int], *, limit: int) -> History:
        """The latest `limit` item events of a person (`user_key`), oldest first, with items as indices of
        `item_index`.

        Events with items that `item_index` lacks are left out. Microseconds when nothing is new, one indexed
        query otherwise.
        """
        with self._lock, explained(self.path):
            return self._person(who, item_index, limit).history

    def latest_events(self, who: str, *, limit: int) -> list[Event]:
        """The latest item events of a person in raw ids, newest first."""
        with self._lock, explained(self.path):
            rows = self._reader.execute(_LATEST_EVENTS, (who, limit)).fetchall()
        return [Event(*row) for row in rows]

    def num_events(self, who: str) -> int:
        """How many item events the log has of a person."""
        with self._lock, explained(self.path):
            (count,) = self._reader.execute(_COUNT_OF_PERSON, (who,)).fetchone()
        return int(count)

    def sample_people(self, limit: int) -> list[ActivePerson]:
        """The people who did something latest."""
        with explained(self.path):
            connection = connect(self.path)
            try:
                rows = connection.execute(_LATELY_ACTIVE, (limit,)).fetchall()
                counts = [connection.execute(_COUNT_OF_PERSON, (who,)).fetchone()[0] for who, _ in rows]
            finally:
                connection.close()
        return [ActivePerson(who, count, latest) for (who, latest), count in zip(rows, counts, strict=True)]

    def check(self) -> None:
        """Raise ServingError when the log cannot be read."""
        with self._lock, explained(self.path):
            self._reader.execute("SELECT number FROM events LIMIT 1").fetchone()

    def _person(self, who: str, item_index: Mapping[str, int], limit: int) -> UserHistoryCache:
        person = self._people.get(who)
        if person is None or person.item_index is not item_index or person.limit != limit:
            person = UserHistoryCache(self._reader, who, item_index=item_index, limit=limit)
            self._people[who] = person
            while len(self._people) > MAX_PEOPLE_KEPT:
                self._people.popitem(last=False)
        else:
            person.refresh(self._reader)
        self._people.move_to_end(who)
        return person
