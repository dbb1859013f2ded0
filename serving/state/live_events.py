"""Events as a storefront sends them, checked one by one with the rules of the tables, and turned into rows of
the log."""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import polars as pl
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError, to_json

from configs.schema import EventType
from features.core.columns import (
    EVENT_TYPE_ALIASES,
    ITEM_EVENT_TYPES,
    MAX_ID_BYTES,
    MAX_PRICE,
    MICROSECONDS_PER_DAY,
)
from features.core.timestamps import parse_timestamps
from serving.state.event_log import Event

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST = 2**53
_UNIX = re.compile(r"\s*(?!\d{8}\s*$)[\d.]+\s*")
"""A number that is no date like 20240131; `datetime.fromisoformat` would read some as years long gone."""
MAX_ATTRIBUTES_BYTES = 10_000


def _id(value: object) -> object:
    """Ids are text; shops whose ids are numbers may send numbers."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str):
        if not value.strip():
            raise PydanticCustomError("blank_id", "is blank: leave it out, or send an id")
        size = len(value.encode())
        if size > MAX_ID_BYTES:
            raise PydanticCustomError(
                "long_id",
                "is {size} bytes long; an id has at most {most}",
                {"size": size, "most": MAX_ID_BYTES},
            )
    return value


def _event_type(value: object) -> object:
    """GA4's names; Segment's and Vertex AI's are mapped."""
    name = value.strip().lower() if isinstance(value, str) else value
    return EVENT_TYPE_ALIASES.get(name, name) if isinstance(name, str) else name


def _time(value: object) -> datetime:
    """The forms of time that files may hold: ISO 8601, or unix time in s, ms, us or ns by its size."""
    if isinstance(value, datetime):
        return value
    parsed: datetime | None = None
    with contextlib.suppress(ValueError, OverflowError, pl.exceptions.PolarsError):
        parsed = _from_iso(value) if isinstance(value, str) and not _UNIX.fullmatch(value) else None
        if parsed is None and isinstance(value, str | int | float) and not isinstance(value, bool):
            parsed = parse_timestamps(pl.Series([value])).item()
    if parsed is None:
        raise PydanticCustomError(
            "timestamp", "is not understood: send ISO 8601 (2024-01-31T12:00:00Z) or unix seconds"
        )
    return parsed


def _from_iso(text: str) -> datetime | None:
    """The common forms without the machinery for columns."""
    try:
        parsed = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def _upper(value: object) -> object:
    return value.strip().upper() if isinstance(value, str) else value


Id = Annotated[str, BeforeValidator(_id), Field(json_schema_extra={"maxLength": MAX_ID_BYTES})]
Text = Annotated[str, Field(max_length=1_000)]
Price = Annotated[float, Field(ge=0, le=MAX_PRICE, allow_inf_nan=False)]
Quantity = Annotated[int, Field(ge=0, lt=_LARGEST)]
Currency = Annotated[str, BeforeValidator(_upper), Field(pattern="^[A-Z]{3}$")]


class LiveItem(BaseModel):
    """One item of an event that has several."""

    model_config = ConfigDict(extra="forbid")

    item_id: Id
    quantity: Quantity | None = None
    price: Price | None = None
    currency: Currency | None = None
    coupon: Text | None = None
    position: int | None = Field(None, ge=0, lt=_LARGEST)


class LiveEvent(BaseModel):
    """Something a person did. `items` holds several items of one event, such as a purchase: each becomes a
    row."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "event_id": "c0ffee-1",
                "event_type": "add_to_cart",
                "user_id": "1234",
                "item_id": "A17",
                "price": 2.49,
            }
        },
    )

    event_type: Annotated[EventType, BeforeValidator(_event_type)]
    event_id: Id | None = Field(
        None, description="Yours; with it a retry counts once. Without one each try is a new event."
    )
    line: int = Field(
        0, ge=0, lt=_LARGEST, description="The line within the event, where you send one item at a time."
    )
    timestamp: Annotated[datetime, BeforeValidator(_time)] | None = Field(None, description="Default: now.")
    user_id: Id | None = None
    visitor_id: Id | None = None
    session_id: Id | None = None
    item_id: Id | None = None
    items: list[LiveItem] | None = Field(None, min_length=1, max_length=500)
    quantity: Quantity | None = None
    price: Price | None = Field(None, description="Of one unit.")
    currency: Currency | None = None
    transaction_id: Id | None = None
    coupon: Text | None = None
    surface: Text | None = None
    position: int | None = Field(None, ge=0, lt=_LARGEST)
    recommendation_id: Text | None = None
    search_term: Text | None = None
    rating: float | None = Field(None, allow_inf_nan=False)
    review_text: str | None = Field(None, max_length=20_000)
    duration_s: float | None = Field(None, ge=0, allow_inf_nan=False)
    channel: Text | None = None
    device: Text | None = None
    country: Text | None = None
    source: Text | None = None
    medium: Text | None = None
    campaign: Text | None = None
    attributes: dict[str, Any] | None = Field(None, description="Anything else.")


_COPIED = (
    "user_id", "visitor_id", "session_id", "transaction_id", "surface", "recommendation_id", "search_term", "rating",
    "review_text", "duration_s", "channel", "device", "country", "source", "medium", "campaign",
)  # fmt: skip
_OF_AN_ITEM = ("item_id", "quantity", "price", "currency", "coupon", "position")


class Rejection(Exception):  # noqa: N818
    """Why an event is refused."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field} {message}")
        self.field, self.message = field, message


@dataclass(frozen=True)
class Money:
    """The shop's currency, None where it is not known, and what a unit of others is worth in it."""

    currency: str | None = None
    rates: Mapping[str, float] = field(default_factory=dict)


def parse_event(value: object) -> LiveEvent:
    """One event of a request; raises Rejection."""
    try:
        return LiveEvent.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise Rejection(
            ".".join(str(part) for part in first["loc"]) or "event", _sentence(first["type"], first["msg"])
        ) from None


def to_rows(event: LiveEvent, *, now: int, money: Money) -> list[Event]:
    """The rows of the log that an event becomes, one an item. `now` in microseconds. Raises Rejection.

    Without a `timestamp` it happened now; without an `event_id` one is made. A clock that is up to a day fast
    is forgiven: what it calls the future happened now, and so counts at once.
    """
    timestamp = now if event.timestamp is None else (event.timestamp - _EPOCH) // timedelta(microseconds=1)
    if timestamp > now + MICROSECONDS_PER_DAY:
        raise Rejection("timestamp", "is more than a day ahead: check the sender's clock")
    if timestamp < 0:
        raise Rejection("timestamp", "is before 1970")
    timestamp = min(timestamp, now)
    if event.items is not None and event.item_id is not None:
        raise Rejection("items", "stands beside item_id: send one of them")
    if event.event_type in ITEM_EVENT_TYPES and event.item_id is None and event.items is None:
        raise Rejection("item_id", f"is missing: {event.event_type} is about an item")
    if event.user_id is None and event.visitor_id is None:
        raise Rejection("user_id", "is missing: send user_id, visitor_id, or both")
    attributes = None if event.attributes is None else to_json(event.attributes).decode()
    if attributes is not None and len(attributes) > MAX_ATTRIBUTES_BYTES:
        raise Rejection(
            "attributes", f"is {len(attributes)} bytes long; at most {MAX_ATTRIBUTES_BYTES} are kept"
        )
    event_id = event.event_id or uuid.uuid4().hex
    shared = {name: getattr(event, name) for name in _COPIED} | {"attributes": attributes}
    parts: Sequence[LiveItem | LiveEvent] = event.items or (event,)
    items = [_item(part, event, money) for part in parts]
    return [
        Event(event_id, event.line + place, event.event_type, timestamp, **shared, **item)
        for place, item in enumerate(items)
    ]


def _item(item: LiveItem | LiveEvent, event: LiveEvent, money: Money) -> dict[str, Any]:
    """The columns of one item; what it does not say is as the event says."""
    values = {name: getattr(item, name) for name in _OF_AN_ITEM}
    values = {name: getattr(event, name) if value is None else value for name, value in values.items()}
    currency, price = values["currency"] or money.currency, values["price"]
    if currency is None or currency == money.currency:
        return values | {"currency": currency}
    if currency in money.rates:
        return values | {
            "price": None if price is None else price * money.rates[currency],
            "currency": money.currency,
        }
    if money.currency is not None:
        raise Rejection(
            "currency",
            f"is {currency}, and the shop's is {money.currency}: set prepare.exchange_rates.{currency}",
        )
    return values | {"currency": currency}


def _sentence(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "is not a field of an event: put it into attributes"
    return message[:1].lower() + message[1:]
