"""Whose events there are in Redis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from serving.state.redis.client import RedisClient

_SCAN_KEYS: Final = 1_000


def users_of_events(client: RedisClient) -> Iterator[Sequence[str]]:
    """The keys of all users with events, some at a time: of all who have some from the beginning to the end.
    A user may come twice."""
    for found in keys_of(client, "e:"):
        yield [name.decode() for name in found]


def keys_of(client: RedisClient, begin: str) -> Iterator[Sequence[bytes]]:
    """What follows that beginning in the names of the keys of a shop; some are no text (`k:`)."""
    whole, cursor = client.key(begin).encode(), None
    while cursor != 0:
        pattern = _escaped(whole.decode()) + "*"
        cursor, names = client.call("SCAN", cursor or 0, "MATCH", pattern, "COUNT", _SCAN_KEYS)
        yield [name.removeprefix(whole) for name in names]


def _escaped(pattern: str) -> str:
    """For MATCH."""
    return "".join(f"\\{one}" if one in "*?[]\\^" else one for one in pattern)
