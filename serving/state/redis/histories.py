"""One user's item events in Redis, for the user history cache."""

from __future__ import annotations

from collections.abc import Generator
from typing import Final

from serving.state.redis.client import RedisClient
from serving.state.redis.rows import history_row, number_of
from serving.state.user_history_cache import Row

_PART: Final = 1_000
"""Events that are read at once."""


class RedisHistories:
    """The `HistoryReader` of a server."""

    def __init__(self, client: RedisClient) -> None:
        self._client = client

    def latest(self, user_key: str, *, limit: int) -> list[Row]:
        return _rows(self._client.run("latest", user_key, limit))

    def latest_first(self, user_key: str) -> Generator[Row, None, None]:
        """In the order of the moment of the call; what is deleted meanwhile is left out."""
        client = self._client
        ids = client.call("ZREVRANGE", client.key(f"t:{user_key}"), 0, -1)
        for start in range(0, len(ids), _PART):
            part = ids[start : start + _PART]
            values = client.call("HMGET", client.key(f"e:{user_key}"), *part)
            yield from (history_row(*pair) for pair in zip(part, values, strict=True) if pair[1] is not None)

    def last_number(self, user_key: str) -> int:
        found = self._client.call("LINDEX", self._client.key(f"n:{user_key}"), -1)
        return 0 if found is None else number_of(found)

    def since(self, user_key: str, number: int) -> list[Row]:
        return _rows(self._client.run("since", user_key, number))


def _rows(found: list[bytes]) -> list[Row]:
    """Of ids and rows, one after the other."""
    return [history_row(event_id, row) for event_id, row in zip(found[::2], found[1::2], strict=True)]
