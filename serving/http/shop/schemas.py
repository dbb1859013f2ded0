"""What the endpoints of the shop page return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field


@dataclass(frozen=True, slots=True)
class Shop:
    """What this shop offers."""

    surfaces: list[str]
    columns: Annotated[list[str], Field(description="The columns of the catalogue.")]
    currency: Annotated[str | None, Field(description="None where the catalogue has several currencies.")]
    has_times: Annotated[
        bool,
        Field(description="False with `data.clock: ordinal`: imported events have row numbers as times."),
    ]


@dataclass(frozen=True, slots=True)
class ShopUser:
    """A user with events."""

    id: str
    num_events: int
    latest: Annotated[str, Field(description="Time of the latest event, ISO 8601 in UTC.")]


@dataclass(frozen=True, slots=True)
class ShopUsers:
    """Users, the most recently active first."""

    users: list[ShopUser]


@dataclass(frozen=True, slots=True)
class UserEvent:
    """An event, with the title, category and brand of its item from the catalogue."""

    event_type: str
    timestamp: Annotated[str, Field(description="ISO 8601 in UTC.")]
    item_id: str | None
    quantity: float | None
    transaction_id: str | None
    title: str | None
    product_type: str | None
    brand: str | None
    price: Annotated[float | None, Field(description="Of one unit, as sent with the event.")]
    catalogue_price: Annotated[
        float | None, Field(description="Of one unit, from the catalogue: the sale price where there is one.")
    ]


@dataclass(frozen=True, slots=True)
class UserHistory:
    """The latest events of a user, newest first."""

    user_id: str
    num_events: Annotated[int, Field(description="How many item events the log has of this user.")]
    events: list[UserEvent]
    attributes: Annotated[dict[str, Any], Field(description="What the shop put of the user.")]
    consent: Annotated[
        bool | None, Field(description="false where they took it back; null: nothing says so.")
    ]


@dataclass(frozen=True, slots=True)
class CatalogueItem:
    """One item of the catalogue."""

    item_id: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CatalogueItems:
    """Items that match a search, the best-selling first."""

    items: list[CatalogueItem]
