"""What the endpoints of the shop page return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import Field

MAX_CATEGORIES: Final = 5
"""Of a user's profile"""


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
class CategoryShare:
    """A category that the user buys from."""

    product_type: str
    share: Annotated[float, Field(description="Of the weight of the user's target events.")]


@dataclass(frozen=True, slots=True)
class UserSummary:
    """What the stored events say of a user now. Target events are purchases, or what `history.targets` names;
    what was taken back does not count."""

    num_targets: Annotated[int, Field(description="Target events.")]
    num_items: Annotated[int, Field(description="Distinct items among them.")]
    num_baskets: Annotated[int, Field(description="Orders, or visits with a target event.")]
    latest: Annotated[str | None, Field(description="Time of the latest one, ISO 8601 in UTC.")]
    typical_price: Annotated[float | None, Field(description="Geometric mean of the prices paid.")]
    categories: Annotated[
        list[CategoryShare], Field(description=f"At most {MAX_CATEGORIES}, the largest share first.")
    ]
    cart_item_ids: Annotated[list[str], Field(description="What lies in the cart.")]
    life_stage: Annotated[
        str | None,
        Field(
            description="no order, new, active, loyal, at risk or lapsed, as `shopkeeper segments` has it; "
            "null without times."
        ),
    ]


@dataclass(frozen=True, slots=True)
class UserHistory:
    """The latest events of a user, newest first, and what all of them say."""

    user_id: str
    num_events: Annotated[int, Field(description="How many item events the log has of this user.")]
    events: list[UserEvent]
    attributes: Annotated[dict[str, Any], Field(description="What the shop put of the user.")]
    profile: UserSummary
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
