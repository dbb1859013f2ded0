"""Requests and responses of the live catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from configs.settings.data import Availability
from serving.http.schemas import MAX_LIST_LENGTH
from serving.state.event_fields import Currency, Id, Price, Text


class ItemFields(BaseModel):
    """What the catalogue says of an item. What is not sent stays as it is; null clears it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "title": "Blue mug",
                "product_type": "Kitchen > Mugs",
                "price": 9.9,
                "availability": "in_stock",
            }
        },
    )

    title: Text | None = None
    description: str | None = Field(None, max_length=20_000)
    product_type: Text | None = Field(None, description="The category's path: `A > B > C`.")
    brand: Text | None = None
    price: Price | None = None
    sale_price: Price | None = None
    cost_of_goods_sold: Price | None = None
    currency: Currency | None = Field(None, description="Of the prices. Default: the shop's.")
    availability: Availability | None = Field(None, description="What is out_of_stock is in no list.")
    link: Text | None = None
    image_link: Text | None = None
    item_group_id: Id | None = Field(None, description="The variants of one product share it.")
    color: Text | None = None
    size: Text | None = None
    material: Text | None = None
    gender: Text | None = None
    age_group: Text | None = None
    availability_date: Text | None = None
    expiration_date: Text | None = None
    custom_label_0: Text | None = None
    custom_label_1: Text | None = None
    custom_label_2: Text | None = None
    custom_label_3: Text | None = None
    custom_label_4: Text | None = None


class Item(ItemFields):
    """An item of a bulk upsert."""

    id: Id


class ItemsRequest(BaseModel):
    """Items to put: all of them or none."""

    model_config = ConfigDict(extra="forbid")

    items: list[Item] = Field(min_length=1, max_length=MAX_LIST_LENGTH)


@dataclass(frozen=True, slots=True)
class ItemStatus:
    """What was done with an item. It is on disk."""

    item_id: str
    status: Annotated[
        Literal["added", "changed", "deleted"], Field(description="`added`: no bundle knew it.")
    ]


@dataclass(frozen=True, slots=True)
class ItemsResponse:
    """The items, in the order of the request."""

    items: list[ItemStatus]
