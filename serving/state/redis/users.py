"""What the shop says of users, in Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Any, Final

from pydantic_core import from_json, to_json

from features.core.forgotten import user_hash
from features.core.ids import user_key
from serving.state import protocol
from serving.state.event_log import EVENT_COLUMNS
from serving.state.protocol import Suppression
from serving.state.redis.client import Command, RedisClient
from serving.state.redis.opening import salt_of
from serving.state.redis.rewriting import rewrite_append_only_file
from serving.state.redis.rows import number_of, values_of
from serving.state.redis.writer import RedisWriter

_VISITOR: Final = EVENT_COLUMNS.index("visitor_id")


class RedisUsers:
    """See `LiveUsers`."""

    def __init__(self, client: RedisClient, writer: RedisWriter) -> None:
        self._client, self._writer = client, writer
        self._salt = salt_of(client)
        last = client.call("GET", client.key("change_number"))
        self._last_change = int(last or 0)

    async def merge(self, visitor_id: str, user_id: str) -> int:
        visitor = user_key(user_id=None, visitor_id=visitor_id) or ""
        return int(await self._write("merge", visitor, user_id, protocol.MAX_USER_CHANGES))

    async def forget(self, key: str, *, reason: Suppression, now: int) -> None:
        """Nothing of them is in a key or a value afterwards, nor in the append-only file once it is
        rewritten, which this starts."""
        keys = [key, *self._visitors(key)]
        pairs = [text for one in keys for text in (one, self._hash(one))]
        await self._write("forget", reason, now, *pairs)
        await asyncio.to_thread(rewrite_append_only_file, self._client)

    async def give_consent(self, key: str) -> None:
        await self._write("consent", self._hash(key))

    async def put_attributes(self, key: str, attributes: Mapping[str, Any]) -> None:
        command: Command = ("HSET", self._client.key("users"), key, to_json(attributes))
        await asyncio.wrap_future(self._writer.submit(command))

    def attributes(self, key: str) -> dict[str, Any]:
        found = self._client.call("HGET", self._client.key("users"), key)
        return {} if found is None else dict(from_json(found))

    def suppression(self, key: str) -> Suppression | None:
        found = self._client.call("HGET", self._client.key("suppressed"), self._hash(key))
        return None if found is None else found.decode().split()[0]

    def without_consent(self, keys: Collection[str]) -> Collection[str]:
        """In one round trip."""
        asked = list(keys)
        if not asked:
            return ()
        name = self._client.key("suppressed")
        reasons = self._client.call("HMGET", name, *(self._hash(key) for key in asked))
        return [
            key
            for key, reason in zip(asked, reasons, strict=True)
            if reason and reason.startswith(b"no_consent")
        ]

    def changed(self) -> list[str | None]:
        """Whose events changed since the last call in another way than by new ones; None: anybody's."""
        name = self._client.key("user_changes")
        found = self._client.call("ZRANGEBYSCORE", name, f"({self._last_change}", "+inf")
        if not found:
            return []
        last = number_of(found[-1][:6])
        is_gapless = last == self._last_change + len(found)
        self._last_change = last
        return [change[6:].decode() or None for change in found] if is_gapless else [None]

    def _visitors(self, key: str) -> list[str]:
        """The keys of the visitors whose ids stand in a user's events."""
        rows = self._client.call("HVALS", self._client.key(f"e:{key}"))
        found = {values_of(row, user_key=key)[_VISITOR] for row in rows} - {None}
        return [user_key(user_id=None, visitor_id=str(visitor)) or "" for visitor in sorted(map(str, found))]

    async def _write(self, script: str, *arguments: str | bytes | int) -> Any:
        return await asyncio.wrap_future(self._writer.submit(self._client.script(script, *arguments)))

    def _hash(self, key: str) -> str:
        return user_hash(key, salt=self._salt)
