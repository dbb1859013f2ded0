"""What the shop says of users: who is the same person, who must be forgotten, who did not consent, and their
attributes.

Of those who are forgotten or did not consent only a salted hash is kept: enough to leave them out of the next
tables, and nothing that can be read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping
from typing import Any, Final

from pydantic_core import from_json, to_json

from features.core.forgotten import user_hash
from features.core.ids import user_key
from serving.state import protocol
from serving.state.event_log import (
    ITEM_EVENT,
    OTHER_EVENT,
    OTHER_EVENTS_INDEX,
    USER_ARRIVAL_INDEX,
)
from serving.state.protocol import Suppression
from serving.state.statements import Statement
from serving.state.store_file import StoreFile
from serving.state.user_tables import NOTE_CHANGE, TRIM_CHANGES

_EVENTS_OF: Final = (
    (f"events INDEXED BY {USER_ARRIVAL_INDEX}", f"user_key = ? AND {ITEM_EVENT}"),
    (f"events INDEXED BY {OTHER_EVENTS_INDEX}", f"user_key = ? AND {OTHER_EVENT}"),
)
"""SQL of the two halves of a user's events: the table with its index, and the condition"""

_SUPPRESS: Final = """
INSERT INTO suppressed VALUES (?, ?, ?) ON CONFLICT (user_hash) DO UPDATE SET
    at = excluded.at, reason = CASE reason WHEN 'no_consent' THEN reason ELSE excluded.reason END
"""
"""Who did not consent and is deleted has still not consented."""
_SUPPRESSED: Final = "SELECT reason FROM suppressed WHERE user_hash = ?"
_CONSENT: Final = "DELETE FROM suppressed WHERE user_hash = ? AND reason = 'no_consent'"
_ATTRIBUTES: Final = "SELECT attributes FROM users WHERE user_key = ?"
_CHANGED: Final = "SELECT number, user_key FROM user_changes WHERE number > ? ORDER BY number"
_LAST_CHANGE: Final = "SELECT ifnull(max(number), 0) FROM user_changes"
_PUT_ATTRIBUTES: Final = (
    "INSERT INTO users VALUES (?, ?) ON CONFLICT (user_key) DO UPDATE SET attributes = excluded.attributes"
)


class UserStore:
    """Writes and reads the tables of users. A key is that of `features.core.ids.user_key`."""

    def __init__(self, file: StoreFile) -> None:
        self._file = file
        with file.reading() as reader:
            (salt,) = reader.execute("SELECT salt FROM salt").fetchone()
            (self._last_change,) = reader.execute(_LAST_CHANGE).fetchone()
        self._salt = bytes.fromhex(salt)

    async def merge(self, visitor_id: str, user_id: str) -> int:
        """The events that a visitor made before they logged in become the user's. Returns how many."""
        visitor = user_key(user_id=None, visitor_id=visitor_id)
        user = user_key(user_id=user_id, visitor_id=None)
        moves: list[Statement] = [
            (f"UPDATE {events} SET user_key = ?, user_id = ? WHERE {condition}", (user, user_id, visitor))
            for events, condition in _EVENTS_OF
        ]
        notes = [(NOTE_CHANGE, (visitor,)), (NOTE_CHANGE, (user,))]
        changed = await self._file.write([*moves, *notes, (TRIM_CHANGES, (protocol.MAX_USER_CHANGES,))])
        return changed - len(notes)

    async def forget(self, key: str, *, reason: Suppression, now: int) -> None:
        """Delete all that is known of a user, and of the visitors whose ids stand in their events: they were
        on the same device. Nothing of it can be read in the file afterwards."""
        with self._file.reading() as reader:
            keys = [key, *_visitors(reader, key)]
        statements = [statement for one in keys for statement in self._forget(one, reason=reason, now=now)]
        await self._file.write([*statements, (NOTE_CHANGE, (None,))])
        await self._file.empty_write_ahead_log()

    async def give_consent(self, key: str) -> None:
        """The events of a user are stored again, after they were not."""
        await self._file.write([(_CONSENT, (self._hash(key),))])

    async def put_attributes(self, key: str, attributes: Mapping[str, Any]) -> None:
        """What the shop knows of a user, in place of what it knew."""
        await self._file.write([(_PUT_ATTRIBUTES, (key, to_json(attributes).decode()))])

    def attributes(self, key: str) -> dict[str, Any]:
        """What the shop put of a user; empty for nothing."""
        with self._file.reading() as reader:
            row = reader.execute(_ATTRIBUTES, (key,)).fetchone()
        found: dict[str, Any] = from_json(row[0]) if row else {}
        return found

    def suppression(self, key: str) -> Suppression | None:
        """Why a user must not be known; None where nothing says so."""
        with self._file.reading() as reader:
            row = reader.execute(_SUPPRESSED, (self._hash(key),)).fetchone()
        return row[0] if row else None

    def without_consent(self, keys: Collection[str]) -> Collection[str]:
        """Those of the users who did not consent."""
        return [key for key in keys if self.suppression(key) == "no_consent"]

    def changed(self, reader: sqlite3.Connection) -> list[str | None]:
        """Whose events changed since the last call in another way than by new ones; None: anybody's."""
        rows = reader.execute(_CHANGED, (self._last_change,)).fetchall()
        if not rows:
            return []
        is_gapless = rows[-1][0] == self._last_change + len(rows)
        self._last_change = rows[-1][0]
        return [key for _, key in rows] if is_gapless else [None]

    def _forget(self, key: str, *, reason: Suppression, now: int) -> list[Statement]:
        return [
            *((f"DELETE FROM {events} WHERE {condition}", (key,)) for events, condition in _EVENTS_OF),
            ("DELETE FROM users WHERE user_key = ?", (key,)),
            ("DELETE FROM user_changes WHERE user_key = ?", (key,)),
            (_SUPPRESS, (self._hash(key), reason, now)),
        ]

    def _hash(self, key: str) -> str:
        return user_hash(key, salt=self._salt)


def _visitors(reader: sqlite3.Connection, key: str) -> list[str]:
    found: set[str] = set()
    for events, condition in _EVENTS_OF:
        query = f"SELECT DISTINCT visitor_id FROM {events} WHERE {condition} AND visitor_id IS NOT NULL"
        found |= {visitor for (visitor,) in reader.execute(query, (key,))}
    return [user_key(user_id=None, visitor_id=visitor) or "" for visitor in sorted(found)]
