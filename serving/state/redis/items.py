"""The live catalogue in Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic_core import from_json, to_json

from serving.state.protocol import ItemChange, ItemFields
from serving.state.redis.client import RedisClient
from serving.state.redis.writer import RedisWriter

_PART: Final = 1_000
"""Items that are read at once."""


class RedisItems:
    """See `LiveItems`."""

    def __init__(self, client: RedisClient, writer: RedisWriter) -> None:
        self._client, self._writer = client, writer

    async def change(self, changes: Mapping[str, ItemFields | None], *, now: int) -> None:
        arguments: list[str | bytes | int] = []
        for item_id, fields in changes.items():
            arguments += [item_id, -1 if fields is None else len(fields)]
            for column, value in (fields or {}).items():
                arguments += [column, to_json(value)]
        command = self._client.script("change_items", now, *arguments)
        await asyncio.wrap_future(self._writer.submit(command))

    def changed(self, *, since: int) -> list[ItemChange]:
        return [change for part in items_since(self._client, since) for change in part]


def items_since(client: RedisClient, since: int) -> Iterator[list[ItemChange]]:
    """The items whose number is higher, some at a time."""
    while True:
        changes = [_change(*one) for one in client.run("changed_items", since, _PART)]
        yield changes
        if len(changes) < _PART:
            return
        since = changes[-1].number


def _change(item_id: bytes, pairs: list[bytes]) -> ItemChange:
    fields: dict[bytes, Any] = dict(zip(pairs[::2], pairs[1::2], strict=True))
    state, number, changed_at = fields.pop(b"").split()
    values = {column.decode(): from_json(value) for column, value in fields.items()}
    return ItemChange(int(number), item_id.decode(), values if state == b"p" else None, int(changed_at))
