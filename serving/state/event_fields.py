"""How each field of an event in a request is read: the pydantic types of `live_events`."""

from __future__ import annotations

import contextlib
import math
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import polars as pl
from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from configs.settings.event_types import EventType
from features.core.columns import EVENT_TYPE_ALIASES, MAX_ID_BYTES, MAX_PRICE, MAX_QUANTITY
from features.core.ids import ROUNDED, clean_id, is_rounded
from features.core.timestamps import parse_timestamps

MAX_INTEGER: Final = 2**53
"""Exclusive: larger integers are not exact in JSON."""

_UNIX_TIME: Final = re.compile(r"\s*(?!\d{8}\s*$)[\d.]+\s*")
"""A number that is not a date like 20240131. `datetime.fromisoformat` would read some as years long past."""


def _id(value: object) -> object:
    """Ids are text; shops whose ids are numbers may send numbers. The same form as in files."""
    if (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, float) and value.is_integer()
    ):
        value = str(value)
    if isinstance(value, str):
        value = clean_id(value)
        if not value:
            raise PydanticCustomError("blank_id", "is blank: leave it out, or send an id")
        size = len(value.encode())
        if size > MAX_ID_BYTES:
            raise PydanticCustomError(
                "long_id",
                "is {size} bytes long; an id has at most {most}",
                {"size": size, "most": MAX_ID_BYTES},
            )
        if is_rounded(value):
            raise PydanticCustomError("rounded_id", ROUNDED)
    return value


def _event_type(value: object) -> object:
    """The names of GA4; those of Segment and Vertex AI are mapped to them."""
    name = value.strip().lower() if isinstance(value, str) else value
    return EVENT_TYPE_ALIASES.get(name, name) if isinstance(name, str) else name


def _time(value: object) -> datetime:
    """ISO 8601, or unix time in s, ms, us or ns by its size: the same forms as in files."""
    if isinstance(value, datetime):
        return value
    parsed: datetime | None = None
    with contextlib.suppress(ValueError, OverflowError, pl.exceptions.PolarsError):
        parsed = _from_iso(value) if isinstance(value, str) and not _UNIX_TIME.fullmatch(value) else None
        if parsed is None and isinstance(value, str | int | float) and not isinstance(value, bool):
            parsed = parse_timestamps(pl.Series([value])).item()
    if parsed is None:
        raise PydanticCustomError(
            "timestamp", "is not understood: send ISO 8601 (2024-01-31T12:00:00Z) or unix seconds"
        )
    return parsed


def _from_iso(text: str) -> datetime | None:
    """The common forms, without the cost of a Polars column."""
    try:
        parsed = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def _finite(value: object) -> object:
    """Data for the log without what JSON cannot write: the parser reads 1e400 as infinity."""
    if isinstance(value, float) and not math.isfinite(value):
        raise PydanticCustomError(
            "infinite_number", "has a number that is too large (1.8e308 is the limit): send it as text"
        )
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in parts:
        _finite(part)
    return value


def _upper(value: object) -> object:
    return value.strip().upper() if isinstance(value, str) else value


Id = Annotated[
    str, BeforeValidator(_id), Field(json_schema_extra={"minLength": 1, "maxLength": MAX_ID_BYTES})
]
Text = Annotated[str, Field(max_length=1_000)]
Attributes = Annotated[dict[str, Any], AfterValidator(_finite)]
Price = Annotated[float, Field(ge=0, le=MAX_PRICE, allow_inf_nan=False)]
Quantity = Annotated[float, Field(ge=0, le=MAX_QUANTITY, allow_inf_nan=False)]
Position = Annotated[int, Field(ge=0, lt=MAX_INTEGER)]
Currency = Annotated[str, BeforeValidator(_upper), Field(pattern="^[A-Z]{3}$")]
Timestamp = Annotated[datetime, BeforeValidator(_time)]
EventTypeName = Annotated[EventType, BeforeValidator(_event_type)]
