"""The live catalogue: what was put or deleted, the latest state of each item.

A change gives its item the next number, so that every replica reads what is new to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic_core import from_json, to_json

from serving.state.item_table import MERGE_FIELDS
from serving.state.protocol import ItemChange, ItemFields
from serving.state.store_file import StoreFile

_CHANGE: Final = f"""
INSERT INTO items VALUES (?, (SELECT ifnull(max(number), 0) + 1 FROM items), ?, ?)
ON CONFLICT (item_id) DO UPDATE SET
    number = excluded.number, changed_at = excluded.changed_at,
    fields = {MERGE_FIELDS}(items.fields, excluded.fields)
"""
_CHANGED: Final = "SELECT number, item_id, fields, changed_at FROM items WHERE number > ? ORDER BY number"


class ItemStore:
    """Writes and reads the table of items."""

    def __init__(self, file: StoreFile) -> None:
        self._file = file

    async def change(self, changes: Mapping[str, ItemFields | None], *, now: int) -> None:
        """Put fields, by their item's id, over those that it has; None deletes it. All or none; returns when
        they would survive a power cut."""
        await self._file.write(
            [
                (_CHANGE, (item_id, now, None if fields is None else to_json(fields).decode()))
                for item_id, fields in changes.items()
            ]
        )

    def changed(self, *, since: int) -> list[ItemChange]:
        """The items whose number is higher than `since`, in the order of their changes."""
        with self._file.reading() as reader:
            rows = reader.execute(_CHANGED, (since,)).fetchall()
        return [
            ItemChange(number, item_id, None if fields is None else from_json(fields), changed_at)
            for number, item_id, fields, changed_at in rows
        ]
