"""An event as Redis keeps it: whether its user is known by a user_id, the digest of its key, and its columns.

A column without a value takes no room: the first number of the JSON list says, bit by bit, which are there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, Literal

from pydantic_core import from_json, to_json

from features.core.columns import ITEM_EVENT_TYPES
from serving.state.event_log import EVENT_COLUMNS, Event, EventKey
from serving.state.user_history_cache import Row

COLUMNS: Final = ("received_at", *(name for name in EVENT_COLUMNS if name != "user_id"))
"""In this order; another one is another version of the schema. The user_id is the key of the user's hash."""

_DIGEST_BYTES: Final = 16
_HISTORY_COLUMNS: Final = ("item_id", "event_type", "timestamp", "transaction_id", "price")
_BIT: Final = {name: 1 << place for place, name in enumerate(COLUMNS)}

Named = Literal[b"u", b"v"]
"""u: the user key is the event's user_id; v: the event has none."""


def digest(key: EventKey) -> bytes:
    """What stands for an event's key in Redis: shorter than ids may be."""
    event_id, event_type, item_id, line = key
    text = "\0".join((event_id, event_type, item_id, str(line)))
    return hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).digest()


def append_arguments(
    values: Mapping[str, Any], *, user_key: str, received_at: int
) -> tuple[bytes, str, bytes, int | str]:
    """What `append.lua` takes of an event, given by its columns."""
    mask, present = 1, [received_at]
    for name, bit in _BIT.items():
        value = values.get(name)
        if value is not None and bit > 1:
            mask |= bit
            present.append(value)
    item = values.get("item_id")
    own = digest((values["event_id"], values["event_type"], item or "", values["line"]))
    named: Named = b"v" if values.get("user_id") is None else b"u"
    is_item_event = item is not None and values["event_type"] in ITEM_EVENT_TYPES
    row = named + own + to_json([mask, *present])
    return own, user_key, row, values["timestamp"] if is_item_event else ""


def id_of(number: int) -> bytes:
    """Of an event, from its number."""
    return number.to_bytes(6, "big")


def number_of(event_id: bytes) -> int:
    """The opposite of `id_of`."""
    return int.from_bytes(event_id, "big")


def history_row(event_id: bytes, row: bytes) -> Row:
    """What a history needs of an event."""
    values = from_json(row[1 + _DIGEST_BYTES :])
    item, event_type, time, transaction, price = _places(values[0])
    return (
        number_of(event_id),
        values[item] if item else "",
        values[event_type],
        values[time],
        values[transaction] if transaction else None,
        float(values[price]) if price else None,
    )


def values_of(row: bytes, *, user_key: str) -> tuple[object, ...]:
    """The values of `EVENT_COLUMNS`."""
    mask, *present = from_json(row[1 + _DIGEST_BYTES :])
    values = dict(zip((name for name, bit in _BIT.items() if mask & bit), present, strict=True))
    values["user_id"] = user_key if row[:1] == b"u" else None
    return tuple(values.get(name) for name in EVENT_COLUMNS)


def logged_values(event_id: bytes, row: bytes, *, user_key: str) -> tuple[object, ...]:
    """Its number and the values of `LOG_COLUMNS`."""
    received_at = from_json(row[1 + _DIGEST_BYTES :])[1]
    return number_of(event_id), user_key, received_at, *values_of(row, user_key=user_key)


def event(row: bytes, *, user_key: str) -> Event:
    """The event of a row."""
    values: Sequence[Any] = values_of(row, user_key=user_key)
    return Event(*values)


def time_of(row: bytes) -> int:
    """When an event happened, in microseconds since 1970 UTC."""
    values = from_json(row[1 + _DIGEST_BYTES :])
    return int(values[_places(values[0])[_HISTORY_COLUMNS.index("timestamp")]])


@lru_cache(maxsize=1024)
def _places(mask: int) -> tuple[int, ...]:
    """Where each of `_HISTORY_COLUMNS` stands in a list with that mask; 0 for one that is not there."""
    present = [name for name, bit in _BIT.items() if mask & bit]
    return tuple(1 + present.index(name) if name in present else 0 for name in _HISTORY_COLUMNS)
