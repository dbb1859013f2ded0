"""The event store of one process in Redis: durable writes, and every user's history from memory.

What Redis has is the only source of truth. What is cached in memory can be rebuilt from it at any time, so a
process may be killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Final, Self

from configs.exceptions import StoreAwayError, StoreBusyError
from features.histories import History
from serving.state.event_log import EVENT_COLUMNS, Event, event_values
from serving.state.history_caches import HistoryCaches
from serving.state.protocol import ActiveUser, AppendResult
from serving.state.redis.client import Command, RedisClient
from serving.state.redis.histories import RedisHistories
from serving.state.redis.items import RedisItems
from serving.state.redis.location import RedisLocation
from serving.state.redis.opening import prepare, require_schema
from serving.state.redis.rewriting import rewrite_append_only_file
from serving.state.redis.rows import append_arguments, digest, event
from serving.state.redis.users import RedisUsers
from serving.state.redis.writer import RedisWriter

PROBE_SECONDS: Final = 5.0
"""`write_trouble` writes at most so often."""


class RedisStore:
    """See `StateStore`. Raises ServingError where the server may lose what it acknowledged."""

    def __init__(self, location: RedisLocation) -> None:
        self.location = location
        self._client = RedisClient(location)
        self._writer = RedisWriter(location)
        try:
            prepare(self._client)
            self.items = RedisItems(self._client, self._writer)
            self.users = RedisUsers(self._client, self._writer)
            rewrite_append_only_file(self._client)
        except BaseException:
            self.close()
            raise
        self._histories, self._caches = RedisHistories(self._client), HistoryCaches()
        self._lock = threading.Lock()
        self._next_probe = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._writer.close()
        self._client.close()

    async def append(self, events: Sequence[Event], *, received_at: int) -> AppendResult:
        """Where the connection broke, the events are sent again and may be counted as duplicates of
        themselves."""
        accepted = await asyncio.wrap_future(self._writer.submit(self._append(events, received_at)))
        return AppendResult(accepted, len(events) - accepted)

    def append_now(self, events: Sequence[Event], *, received_at: int) -> AppendResult:
        accepted = self._writer.submit(self._append(events, received_at)).result()
        return AppendResult(accepted, len(events) - accepted)

    def history(self, key: str, item_index: Mapping[str, int], *, limit: int) -> History:
        """Two round trips; one more for a user who is not in memory."""
        with self._lock:
            self._caches.drop(self.users.changed())
            return self._caches.history(self._histories, key, item_index, limit=limit)

    def forget_histories(self) -> None:
        with self._lock:
            self._caches.drop([None])

    def latest_events(self, user_key: str, *, limit: int) -> list[Event]:
        rows = self._client.run("latest", user_key, limit)[1::2]
        return [event(row, user_key=user_key) for row in rows]

    def without_stored(self, events: Sequence[Event]) -> list[Event]:
        new = {event.key: event for event in events}
        digests = [digest(key) for key in new]
        stored = self._client.all_of([("HEXISTS", self._bucket(one), one[2:]) for one in digests])
        return [event for event, is_stored in zip(new.values(), stored, strict=True) if not is_stored]

    def num_events(self, user_key: str) -> int:
        return int(self._client.call("ZCARD", self._client.key(f"t:{user_key}")))

    def recently_active_users(self, limit: int) -> list[ActiveUser]:
        client = self._client
        found = client.call("ZRANGE", client.key("active"), 0, limit - 1, "WITHSCORES")
        names, latest = [name.decode() for name in found[::2]], [-round(float(one)) for one in found[1::2]]
        counts = client.all_of([("ZCARD", client.key(f"t:{name}")) for name in names])
        return [ActiveUser(*one) for one in zip(names, counts, latest, strict=True)]

    @property
    def num_cached_users(self) -> int:
        return len(self._caches.users)

    @property
    def num_cached_events(self) -> int:
        return self._caches.num_events

    def check(self) -> None:
        require_schema(self._client)

    def write_trouble(self) -> str | None:
        """From how the last read and the last write went. It starts a write that changes nothing, every few
        seconds at most, whose outcome the next call knows."""
        now = time.monotonic()
        if now >= self._next_probe:
            self._next_probe = now + PROBE_SECONDS
            with contextlib.suppress(StoreBusyError):
                self._writer.submit(("SET", self._client.key("probe"), ""))
        if self._client.is_away:
            return "Redis does not answer"
        match self._writer.trouble:
            case None:
                return None
            case StoreAwayError():
                return "Redis does not answer"
            case _:
                return "Redis does not store what it is told: see the server's log"

    def _append(self, events: Sequence[Event], received_at: int) -> Command:
        arguments = [
            argument
            for one in events
            for argument in append_arguments(
                dict(zip(EVENT_COLUMNS, event_values(one), strict=True)),
                user_key=one.user_key,
                received_at=received_at,
            )
        ]
        return self._client.script("append", *arguments)

    def _bucket(self, own: bytes) -> bytes:
        return self._client.key("k:").encode() + own[:2]
