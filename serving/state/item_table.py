"""The table of the live catalogue, and how a change is put over what was there."""

from __future__ import annotations

from typing import Final

from pydantic_core import from_json, to_json

CREATE_ITEMS: Final = (
    """
CREATE TABLE IF NOT EXISTS items (
    item_id TEXT PRIMARY KEY, number INTEGER NOT NULL, changed_at INTEGER NOT NULL, fields TEXT
)""",
    "CREATE UNIQUE INDEX IF NOT EXISTS items_by_number ON items (number)",
)
"""`fields`: a JSON object; NULL for a deleted item."""

MERGE_FIELDS: Final = "merge_fields"
"""The SQL function that puts the fields of a change over the earlier ones."""


def merge_fields(earlier: str | None, later: str | None) -> str | None:
    """`MERGE_FIELDS`: JSON objects; None for a deleted item, which begins anew when it is put."""
    if earlier is None or later is None:
        return later
    return to_json({**from_json(earlier), **from_json(later)}).decode()
