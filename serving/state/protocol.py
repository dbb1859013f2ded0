"""What the rest of Shopkeeper asks of an event store, wherever it keeps things.

`serving.state.store.EventStore` is one file of SQLite, for one machine; `serving.state.redis` keeps the same
in a Redis server, for several. `serving.state.store_location.open_store` opens either.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, Self

import polars as pl

from features.core.forgotten import Forgotten
from features.histories import History
from serving.state.event_log import Event

ItemFields = Mapping[str, Any]
"""Column of the catalogue -> value; null clears it"""

Suppression = Literal["deleted", "no_consent"]

Mark = Literal["exported", "trimmed_before", "copying"]
"""What a log remembers of itself. `exported`: the number of the last event that an export has.
`trimmed_before`: events from before that time (microseconds since 1970 UTC) were trimmed. `copying`: a copy
into it has not ended."""

MAX_USER_CHANGES: Final = 10_000
"""User changes that are kept for the replicas to read. One that missed some drops all that it has cached."""


@dataclass(frozen=True)
class AppendResult:
    """How many events of one append were stored."""

    accepted: int
    duplicates: int
    """Events whose key was already in the log: not stored again."""


@dataclass(frozen=True)
class ActiveUser:
    """A user with item events in the log."""

    user_key: str
    num_events: int
    latest: int
    """Time of the latest event, microseconds since 1970 UTC."""


@dataclass(frozen=True, slots=True)
class ItemChange:
    """The latest state of one item."""

    number: int
    item_id: str
    fields: ItemFields | None
    """None: the item was deleted"""
    changed_at: int
    """Microseconds since 1970 UTC"""


@dataclass(frozen=True, slots=True)
class TrimmedPart:
    """What a trim did since it began."""

    looked_at: int
    """Of `total`: about how many events were looked at"""
    total: int
    trimmed: int
    """Events that were deleted"""
    not_exported: int
    """Old events that were kept, because no export has them"""


class LiveItems(Protocol):
    """The live catalogue: what was put or deleted, the latest state of each item."""

    async def change(self, changes: Mapping[str, ItemFields | None], *, now: int) -> None:
        """Put fields, by their item's id, over those that it has; None deletes it. All or none; returns when
        they would survive a power cut."""

    def changed(self, *, since: int) -> list[ItemChange]:
        """The items whose number is higher than `since`, in the order of their changes."""


class LiveUsers(Protocol):
    """What the shop says of users. A key is that of `features.core.ids.user_key`."""

    async def merge(self, visitor_id: str, user_id: str) -> int:
        """The events that a visitor made before they logged in become the user's. Returns how many."""

    async def forget(self, key: str, *, reason: Suppression, now: int) -> None:
        """Delete all that is known of a user, and of the visitors whose ids stand in their events."""

    async def give_consent(self, key: str) -> None:
        """The events of a user are stored again, after they were not."""

    async def put_attributes(self, key: str, attributes: Mapping[str, Any]) -> None:
        """What the shop knows of a user, in place of what it knew."""

    def attributes(self, key: str) -> dict[str, Any]:
        """What the shop put of a user; empty for nothing."""

    def suppression(self, key: str) -> Suppression | None:
        """Why a user must not be known; None where nothing says so."""

    def without_consent(self, keys: Collection[str]) -> Collection[str]:
        """Those of the users who did not consent."""


class StateStore(Protocol):
    """Durable writes, and every user's history from memory. Safe to use from several threads.

    Every method raises ServingError where the store cannot be used, StoreBusyError where it has no room for a
    write now, and StoreAwayError where it does not answer.
    """

    @property
    def items(self) -> LiveItems: ...

    @property
    def users(self) -> LiveUsers: ...

    @property
    def num_cached_users(self) -> int:
        """How many histories are in memory."""

    @property
    def num_cached_events(self) -> int:
        """How many events these histories have together."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def close(self) -> None:
        """Write what is queued, and let the store go."""

    async def append(self, events: Sequence[Event], *, received_at: int) -> AppendResult:
        """Store events; returns when they would survive a power cut. All or none, and an event whose key is
        stored already counts as a duplicate. `received_at` in microseconds since 1970 UTC."""

    def append_now(self, events: Sequence[Event], *, received_at: int) -> AppendResult:
        """`append` for programs without an event loop."""

    def history(self, key: str, item_index: Mapping[str, int], *, limit: int) -> History:
        """The latest `limit` item events of a user whose item is in `item_index`, oldest first."""

    def forget_histories(self) -> None:
        """Drop what is in memory of users: with another bundle their items have other numbers."""

    def latest_events(self, user_key: str, *, limit: int) -> list[Event]:
        """The latest item events of a user in raw ids, newest first."""

    def without_stored(self, events: Sequence[Event]) -> list[Event]:
        """The events that the log does not have yet, each once."""

    def num_events(self, user_key: str) -> int:
        """How many item events the log has of a user."""

    def recently_active_users(self, limit: int) -> list[ActiveUser]:
        """The users with the latest events, latest first."""

    def check(self) -> None:
        """Raise ServingError when the store cannot be read."""

    def write_trouble(self) -> str | None:
        """Why an event would be refused now; None where it would be stored. Never waits."""


class TransferLog(Protocol):
    """The log as a whole, for imports, exports and trims."""

    name: str
    """For messages"""

    def close(self) -> None: ...

    def has_import(self, fingerprint: str) -> bool:
        """Whether the tables with this fingerprint were imported as a whole."""

    def insert(self, chunks: Iterator[pl.DataFrame]) -> int:
        """Store the events that the log lacks: their columns are some of `LOG_COLUMNS`. Returns how many were
        stored."""

    def note_import(self, fingerprint: str, *, num_events: int) -> None: ...

    def num_events(self) -> int:
        """About as many as `scan` yields."""

    def scan(self) -> Iterator[Sequence[tuple[object, ...]]]:
        """All events, in parts: their number and the values of `EVENT_COLUMNS`. Where one comes twice, the
        later counts."""

    def last_number(self) -> int:
        """Of the event that arrived last; 0 where there never was one."""

    def mark(self, name: Mark) -> int | None: ...

    def set_mark(self, name: Mark, value: int | None) -> None:
        """None removes it."""

    def trim(self, *, before: int, exported: int, dry_run: bool = False) -> Iterator[TrimmedPart]:
        """Delete events from before a time (microseconds since 1970 UTC) whose number is at most `exported`,
        a few in a transaction, so that a live server waits for none of them long. One that is ended in the
        middle can be repeated. `dry_run`: they are counted alone.

        Yields after every part; a caller may rest then. Replicas drop the histories that it shortens.
        """

    def give_back_space(self) -> Iterator[None]:
        """Give the disk back what a trim left free, as far as that holds up no writer. A caller may rest
        after every part."""

    def vacuum(self) -> None:
        """Give all of it back. Writers wait meanwhile, for as long as copying the store takes."""

    def attributes(self) -> Sequence[tuple[str, str]]:
        """Key and attributes (a JSON object) of the users of whom some were put, by key."""

    def forgotten(self) -> Forgotten | None:
        """Who must not be known; None for nobody."""
