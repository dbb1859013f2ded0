"""Events as a storefront sends them: checked one by one with the rules of the tables, and converted to rows
of the log."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import to_json

from features.core.columns import ITEM_EVENT_TYPES, MICROSECONDS_PER_DAY
from features.core.event_ids import event_id_of
from features.core.ids import user_key
from serving.state.event_fields import (
    MAX_INTEGER,
    Attributes,
    Currency,
    EventTypeName,
    Id,
    Position,
    Price,
    Quantity,
    Text,
    Timestamp,
)
from serving.state.event_log import Event

MAX_ATTRIBUTES_BYTES: Final = 10_000

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class LiveItem(BaseModel):
    """One item of an event that has several."""

    model_config = ConfigDict(extra="forbid")

    item_id: Id
    quantity: Quantity | None = None
    price: Price | None = None
    currency: Currency | None = None
    coupon: Text | None = None
    position: Position | None = None


class LiveEvent(BaseModel):
    """One user action. `items` holds several items of one event, such as a purchase: each becomes a row."""

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

    event_type: EventTypeName
    event_id: Id | None = Field(
        None,
        description="The sender's id: with it a retry counts once. Without it an id is made from the user, "
        "type, item and timestamp, and of a purchase with a transaction_id from the user, transaction and "
        "item. An event without a timestamp is a new one each time.",
    )
    line: int = Field(
        0, ge=0, lt=MAX_INTEGER, description="Tells apart two rows of one item in an event with an event_id."
    )
    timestamp: Timestamp | None = Field(None, description="Default: now.")
    user_id: Id | None = None
    visitor_id: Id | None = None
    session_id: Id | None = None
    item_id: Id | None = None
    items: list[LiveItem] | None = Field(None, min_length=1, max_length=500)
    quantity: Quantity | None = None
    price: Price | None = Field(None, description="Price of one unit.")
    currency: Currency | None = None
    transaction_id: Id | None = None
    coupon: Text | None = None
    surface: Text | None = None
    position: Position | None = None
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
    attributes: Attributes | None = Field(None, description="Any other data about the event.")


_EVENT_COLUMNS: Final = (
    "user_id", "visitor_id", "session_id", "transaction_id", "surface", "recommendation_id", "search_term",
    "rating", "review_text", "duration_s", "channel", "device", "country", "source", "medium", "campaign",
)  # fmt: skip
"""Columns that every row of an event shares."""
_ITEM_COLUMNS: Final = ("item_id", "quantity", "price", "currency", "coupon", "position")
"""Columns that an item of `items` may set for its own row."""


Sent = TypeVar("Sent", bound=BaseModel)

Seen = Counter[tuple[object, ...]]
"""How often each row without a sender's id stood in a request so far."""


class InvalidEventError(Exception):
    """Why an event is rejected: the field at fault, and a message that continues a sentence about it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field} {message}")
        self.field, self.message = field, message


@dataclass(frozen=True)
class ExchangeRates:
    """Conversion of prices into the currency of the shop."""

    currency: str | None = None
    """The shop's currency; None where it is not known."""
    rates: Mapping[str, float] = field(default_factory=dict)
    """Another currency -> what one unit of it is worth in the shop's."""


def parse_event(value: object) -> LiveEvent:
    """Check one event of a request. Raises InvalidEventError."""
    try:
        return LiveEvent.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        path = ".".join(str(part) for part in first["loc"]) or "event"
        raise InvalidEventError(path, _message(first["type"], first["msg"])) from None


def without_excluded(sent: Sent, exclude: Collection[str]) -> Sent:
    """An event or a request without its user_id and visitor_id where they are in `exclude` (see
    `data.exclude`)."""
    names = [name for name in ("user_id", "visitor_id") if getattr(sent, name) in exclude]
    return sent.model_copy(update=dict.fromkeys(names)) if names else sent


def to_rows(
    event: LiveEvent, *, now: int, exchange_rates: ExchangeRates, seen: Seen | None = None
) -> list[Event]:
    """The rows of the log for an event, one for each item. Raises InvalidEventError.

    `now` in microseconds since 1970 UTC; `seen` of the events before it in the request.

    A missing `timestamp` becomes `now`. A missing `event_id` is made as in files, see `_keys`. A timestamp up
    to a day in the future, from a clock that is fast, becomes `now`, so that the event counts at once.
    """
    timestamp = _timestamp(event)
    if timestamp is not None and timestamp > now + MICROSECONDS_PER_DAY:
        raise InvalidEventError("timestamp", "is more than a day ahead: check the sender's clock")
    _check_items_and_user(event)
    attributes = None if event.attributes is None else to_json(event.attributes).decode()
    if attributes is not None and len(attributes) > MAX_ATTRIBUTES_BYTES:
        raise InvalidEventError(
            "attributes", f"is {len(attributes)} bytes long; the limit is {MAX_ATTRIBUTES_BYTES}"
        )
    shared = {name: getattr(event, name) for name in _EVENT_COLUMNS} | {"attributes": attributes}
    items: Sequence[LiveItem | LiveEvent] = event.items or (event,)
    rows = [_item_columns(item, event, exchange_rates) for item in items]
    keys = _keys(event, items, timestamp=timestamp, now=now, seen=Counter() if seen is None else seen)
    time = now if timestamp is None else min(timestamp, now)
    return [
        Event(event_id, line, event.event_type, time, **shared, **row)
        for (event_id, line), row in zip(keys, rows, strict=True)
    ]


def _timestamp(event: LiveEvent) -> int | None:
    """When the event happened by its sender's clock, in microseconds since 1970 UTC; None where it does not
    say."""
    if event.timestamp is None:
        return None
    timestamp = (event.timestamp - _EPOCH) // timedelta(microseconds=1)
    if timestamp < 0:
        raise InvalidEventError("timestamp", "is before 1970")
    return timestamp


def _keys(
    event: LiveEvent, items: Sequence[LiveItem | LiveEvent], *, timestamp: int | None, now: int, seen: Seen
) -> list[tuple[str, int]]:
    """(event_id, line) of each item's row: those of the same row in a file.

    Equal rows of a request are several events, or lines of an order, as equal rows of a file are. With a
    sender's id only the items of one event are: the same event twice is a retry.
    """
    if event.event_id is None:
        made = [_made_id(event, item, timestamp=timestamp, now=now, seen=seen) for item in items]
        if None not in made:
            return [(event_id, 0) for event_id in made if event_id]
    event_id = event.event_id or uuid.uuid4().hex
    earlier = [[other.item_id for other in items[:place]] for place in range(len(items))]
    return [
        (event_id, event.line + before.count(item.item_id))
        for item, before in zip(items, earlier, strict=True)
    ]


def _made_id(
    event: LiveEvent, item: LiveItem | LiveEvent, *, timestamp: int | None, now: int, seen: Seen
) -> str | None:
    """`event_id_of` an item's row."""
    who = user_key(user_id=event.user_id, visitor_id=event.visitor_id)
    time = now if timestamp is None else timestamp
    row = (event.event_type, time, who, item.item_id, event.transaction_id)
    seen[row] += 1
    return event_id_of(
        event_type=event.event_type,
        timestamp=timestamp,
        user_id=event.user_id,
        visitor_id=event.visitor_id,
        item_id=item.item_id,
        transaction_id=event.transaction_id,
        equal_before=seen[row] - 1,
    )


def _check_items_and_user(event: LiveEvent) -> None:
    """Raises InvalidEventError where it is not clear which items or which user the event is about."""
    if event.items is not None and event.item_id is not None:
        raise InvalidEventError("items", "cannot be combined with item_id: send one of the two")
    if event.event_type in ITEM_EVENT_TYPES and event.item_id is None and event.items is None:
        raise InvalidEventError("item_id", f"is missing: {event.event_type} is about an item")
    if event.user_id is None and event.visitor_id is None:
        raise InvalidEventError("user_id", "is missing: send user_id, visitor_id, or both")


def _item_columns(item: LiveItem | LiveEvent, event: LiveEvent, rates: ExchangeRates) -> dict[str, Any]:
    """The columns of one item, with the price in the shop's currency. The event's value is the default."""
    values = {name: getattr(item, name) for name in _ITEM_COLUMNS}
    values = {name: getattr(event, name) if value is None else value for name, value in values.items()}
    currency, price = values["currency"] or rates.currency, values["price"]
    if currency is None or currency == rates.currency:
        return values | {"currency": currency}
    if currency in rates.rates:
        converted = None if price is None else price * rates.rates[currency]
        return values | {"price": converted, "currency": rates.currency}
    if rates.currency is not None:
        raise InvalidEventError(
            "currency",
            f"is {currency}, and the shop's is {rates.currency}: set prepare.exchange_rates.{currency}",
        )
    return values | {"currency": currency}


def _message(error_type: str, message: str) -> str:
    """Pydantic's message in lower case, to follow the name of the field."""
    if error_type == "extra_forbidden":
        return "is not a field of an event: put it into attributes"
    return message[:1].lower() + message[1:]
