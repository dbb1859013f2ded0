"""The event log: one append-only table of events, in raw ids. All user state is derived from it.

How the file is opened: `serving.state.database`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Final

from features.core.columns import ITEM_EVENT_TYPES
from features.core.ids import user_key


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
CREATE_EVENTS: Final = (
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
CREATE_MARKS: Final = "CREATE TABLE IF NOT EXISTS marks (name TEXT PRIMARY KEY, value INTEGER NOT NULL)"
"""Of `serving.state.protocol.Mark`."""

_ITEM_EVENT_TYPES_SQL: Final = ", ".join(f"'{name}'" for name in ITEM_EVENT_TYPES)
ITEM_EVENT: Final = f"item_id IS NOT NULL AND event_type IN ({_ITEM_EVENT_TYPES_SQL})"
"""SQL condition for the events that are part of a history: the same as in a dataset."""
OTHER_EVENT: Final = f"(item_id IS NULL OR event_type NOT IN ({_ITEM_EVENT_TYPES_SQL}))"
"""SQL condition for all others."""

EVENT_KEY_INDEX: Final = "events_by_key"
USER_TIME_INDEX: Final = "item_events_by_user_and_time"
USER_ARRIVAL_INDEX: Final = "item_events_by_user_and_number"
OTHER_EVENTS_INDEX: Final = "other_events_by_user"
CREATE_INDEXES: Final = {
    EVENT_KEY_INDEX: f"CREATE UNIQUE INDEX IF NOT EXISTS {EVENT_KEY_INDEX} ON events ({EVENT_KEY})",
    USER_TIME_INDEX: f"CREATE INDEX IF NOT EXISTS {USER_TIME_INDEX} ON events "
    f"(user_key, timestamp, number, item_id, event_type, transaction_id, price) WHERE {ITEM_EVENT}",
    USER_ARRIVAL_INDEX: f"CREATE INDEX IF NOT EXISTS {USER_ARRIVAL_INDEX} ON events (user_key, number) "
    f"WHERE {ITEM_EVENT}",
    OTHER_EVENTS_INDEX: f"CREATE INDEX IF NOT EXISTS {OTHER_EVENTS_INDEX} ON events (user_key) "
    f"WHERE {OTHER_EVENT}",
}
"""Name of an index -> the statement that creates it. A first import creates them after its rows, which sorts
each index once. The index by user and time holds all that a history needs: one user's events lie on a page or
two of it, where the table has them on a page each."""

event_values = attrgetter(*EVENT_COLUMNS)
"""The values of `EVENT_COLUMNS` of an event."""


def insert_statement(columns: Sequence[str] = LOG_COLUMNS) -> str:
    """SQL that inserts a row with these columns, unless the log already has its key."""
    placeholders = ", ".join("?" * len(columns))
    return f"INSERT INTO events ({', '.join(columns)}) VALUES ({placeholders}) {SKIP_DUPLICATES}"


def log_row(event: Event, *, received_at: int) -> tuple[object, ...]:
    """The values of `LOG_COLUMNS` for one event."""
    return (event.user_key, received_at, *event_values(event))
