"""All that a store keeps, as records: what is read from one store and written to another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal, Protocol

from pydantic_core import from_json

from serving.state.event_log import LOG_COLUMNS

Kind = Literal["events", "items", "users", "suppressed", "imports", "marks"]
KINDS: Final[tuple[Kind, ...]] = ("suppressed", "users", "items", "imports", "marks", "events")
"""In the order in which they are copied."""

COLUMNS: Final[Mapping[Kind, tuple[str, ...]]] = {
    "events": ("number", *LOG_COLUMNS),
    "items": ("item_id", "number", "changed_at", "fields"),
    "users": ("user_key", "attributes"),
    "suppressed": ("user_hash", "reason", "at"),
    "imports": ("fingerprint", "events"),
    "marks": ("name", "value"),
}
"""Fields and attributes are JSON objects; the fields of a deleted item are None."""

Record = tuple[Any, ...]
"""The values of the columns of its kind"""

_JSON: Final = {"fields", "attributes"}
_NUMBERS: Final = {"quantity", "price", "rating", "duration_s"}


class WholeStore(Protocol):
    """Nobody else writes to it meanwhile. Every method raises ServingError."""

    name: str
    """For messages"""

    def close(self) -> None: ...

    def salt(self) -> str:
        """Of the hashes of suppressed users. It also tells a store from every other."""

    def read(self, kind: Kind) -> Iterator[Sequence[Record]]:
        """All records of a kind, in parts, each once."""

    def write(self, kind: Kind, records: Sequence[Record]) -> None:
        """Store records as they are, with their numbers. An event that is there is not stored again; another
        record replaces the one with its first column. Each is stored as a whole or not at all."""

    def num_events(self) -> int:
        """About as many as there are."""

    def last_number(self) -> int:
        """Of the event that arrived last, be it still there or not."""

    def is_unfinished(self) -> bool:
        """Whether a copy into it was begun and has not ended."""

    def begin(self, *, salt: str) -> None:
        """A copy into this empty store begins: it takes the other's salt."""

    def end(self, *, last_number: int) -> None:
        """The copy has ended. Later events have higher numbers than this one."""

    def clear(self) -> None:
        """Delete everything."""


def canonical(kind: Kind, record: Record) -> list[Any]:
    """The same for the same record of either store: JSON is parsed, and its keys are in order."""
    return [_plain(name, value) for name, value in zip(COLUMNS[kind], record, strict=True)]


def _plain(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in _NUMBERS:
        return float(value)
    return _in_order(from_json(value)) if name in _JSON else value


def _in_order(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _in_order(value[key]) for key in sorted(value)}
    return [_in_order(one) for one in value] if isinstance(value, list) else value
