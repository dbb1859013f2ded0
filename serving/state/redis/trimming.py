"""Old events are deleted from Redis, user by user."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from serving.state import protocol
from serving.state.protocol import TrimmedPart
from serving.state.redis.client import Command, RedisClient
from serving.state.redis.rows import number_of, time_of
from serving.state.redis.users_of_events import users_of_events

DELETE_EVENTS: Final = 250
"""Of one script: a live server waits for so many."""
_USERS: Final = 50
"""Whose events are read in one round trip."""


def trim(client: RedisClient, *, before: int, exported: int, dry_run: bool) -> Iterator[TrimmedPart]:
    """See `TransferLog.trim`. Whose events move to another user meanwhile is left to the next trim."""
    total = int(client.call("GET", client.key("number")) or 0)
    looked_at, trimmed, not_exported = 0, 0, 0
    for found in users_of_events(client):
        for start in range(0, len(found), _USERS):
            users = found[start : start + _USERS]
            commands: list[Command] = [("HGETALL", client.key(f"e:{user}")) for user in users]
            for user, events in zip(users, client.all_of(commands), strict=True):
                looked_at += len(events)
                old = sorted(event_id for event_id, row in events.items() if time_of(row) < before)
                ids = [event_id for event_id in old if number_of(event_id) <= exported]
                not_exported += len(old) - len(ids)
                if dry_run:
                    trimmed += len(ids)
                    continue
                for place in range(0, len(ids), DELETE_EVENTS):
                    trimmed += _delete(client, user, ids[place : place + DELETE_EVENTS])
                    yield TrimmedPart(min(looked_at, total), total, trimmed, not_exported)
            yield TrimmedPart(min(looked_at, total), total, trimmed, not_exported)


def _delete(client: RedisClient, user: str, ids: Sequence[bytes]) -> int:
    return int(client.run("trim", user, protocol.MAX_USER_CHANGES, *ids))
