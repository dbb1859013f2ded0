"""The log as a whole in Redis, for imports, exports and trims."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final, Self

import polars as pl

from features.core.forgotten import FOREVER, Forgotten
from serving.state.protocol import Mark, TrimmedPart
from serving.state.redis import trimming
from serving.state.redis.client import Command, RedisClient
from serving.state.redis.location import RedisLocation
from serving.state.redis.opening import exists, prepare, salt_of
from serving.state.redis.rewriting import rewrite_append_only_file
from serving.state.redis.rows import append_arguments, number_of, values_of
from serving.state.redis.users_of_events import users_of_events

_APPEND_EVENTS: Final = 500
"""Of one script: a live server waits for so many."""
_SCAN_ROWS: Final = 100_000
_SECONDS: Final = 30.0
"""How long an answer is waited for."""


class RedisLog:
    """A `TransferLog`. Raises ServingError."""

    def __init__(self, location: RedisLocation) -> None:
        self.name = location.prefix
        self._client = RedisClient(location, timeout=_SECONDS, away_seconds=0)
        prepare(self._client)

    @classmethod
    def existing(cls, location: RedisLocation) -> Self | None:
        """None where there is no store; it is only read."""
        log = cls.__new__(cls)
        log.name, log._client = location.prefix, RedisClient(location, timeout=_SECONDS, away_seconds=0)
        if exists(log._client):
            return log
        log.close()
        return None

    def close(self) -> None:
        self._client.close()

    def has_import(self, fingerprint: str) -> bool:
        return bool(self._client.call("HEXISTS", self._client.key("imports"), fingerprint))

    def insert(self, chunks: Iterator[pl.DataFrame]) -> int:
        """Part by part: one that is interrupted can be repeated."""
        client, accepted = self._client, 0
        for chunk in chunks:
            rows = iter(chunk.iter_rows(named=True))
            while part := list(islice(rows, _APPEND_EVENTS)):
                accepted += client.run("append", *(one for row in part for one in _arguments(row)))
        return accepted

    def note_import(self, fingerprint: str, *, num_events: int) -> None:
        self._client.call("HSETNX", self._client.key("imports"), fingerprint, num_events)

    def num_events(self) -> int:
        return self.last_number()

    def last_number(self) -> int:
        return int(self._client.call("GET", self._client.key("number")) or 0)

    def mark(self, name: Mark) -> int | None:
        found = self._client.call("HGET", self._client.key("marks"), name)
        return None if found is None else int(found)

    def set_mark(self, name: Mark, value: int | None) -> None:
        key = self._client.key("marks")
        self._client.call(*(("HDEL", key, name) if value is None else ("HSET", key, name, value)))

    def trim(self, *, before: int, exported: int, dry_run: bool = False) -> Iterator[TrimmedPart]:
        yield from trimming.trim(self._client, before=before, exported=exported, dry_run=dry_run)

    def give_back_space(self) -> Iterator[None]:
        """Memory is free at once; the append-only file is shorter when Redis has written it anew."""
        rewrite_append_only_file(self._client)
        yield

    def vacuum(self) -> None:
        rewrite_append_only_file(self._client)

    def scan(self) -> Iterator[Sequence[tuple[object, ...]]]:
        """User by user. Whose events moved to another user meanwhile comes again at the end."""
        rows: list[tuple[object, ...]] = []
        for users in self._users():
            for user, events in zip(users, self._events_of(users), strict=True):
                rows += [(number_of(event_id), *values_of(row, user_key=user)) for event_id, row in events]
            if len(rows) >= _SCAN_ROWS:
                yield rows
                rows = []
        yield rows

    def attributes(self) -> Sequence[tuple[str, str]]:
        found = self._client.call("HGETALL", self._client.key("users"))
        return sorted((user.decode(), attributes.decode()) for user, attributes in found.items())

    def forgotten(self) -> Forgotten | None:
        found = self._client.call("HGETALL", self._client.key("suppressed"))
        until = {}
        for user, value in found.items():
            reason, at = value.split()
            until[user.decode()] = int(at) if reason == b"deleted" else FOREVER
        return Forgotten(salt_of(self._client), until) if until else None

    def _users(self) -> Iterator[Sequence[str]]:
        """The keys of all users, some at a time, and at the end of those who changed meanwhile."""
        last_change = int(self._client.call("GET", self._client.key("change_number")) or 0)
        yield from users_of_events(self._client)
        name = self._client.key("user_changes")
        changes = self._client.call("ZRANGEBYSCORE", name, f"({last_change}", "+inf")
        yield sorted({change[6:].decode() for change in changes} - {""})

    def _events_of(self, users: Sequence[str]) -> list[Iterable[tuple[bytes, bytes]]]:
        """Ids and rows of each."""
        commands: list[Command] = [("HGETALL", self._client.key(f"e:{user}")) for user in users]
        return [found.items() for found in self._client.all_of(commands)]


def _arguments(row: dict[str, Any]) -> tuple[bytes, str, bytes, int | str]:
    return append_arguments(row, user_key=row["user_key"], received_at=row["received_at"])
