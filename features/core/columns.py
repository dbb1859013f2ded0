"""Column names, event types and their accepted aliases, each defined once.

Event types are Google Analytics 4's e-commerce names; catalogue fields are the Google Merchant feed's.
"""

from __future__ import annotations

from typing import Final, get_args

from configs.settings.data import Availability
from configs.settings.event_types import EventType

# events: one row for each item of an event
EVENT_ID: Final = "event_id"
LINE: Final = "line"
EVENT_TYPE: Final = "event_type"
TIMESTAMP: Final = "timestamp"
USER_ID: Final = "user_id"
VISITOR_ID: Final = "visitor_id"
SESSION_ID: Final = "session_id"
ITEM_ID: Final = "item_id"
QUANTITY: Final = "quantity"
PRICE: Final = "price"
CURRENCY: Final = "currency"
TRANSACTION_ID: Final = "transaction_id"

# reviews, beside those of events
REVIEW_ID: Final = "review_id"
RATING: Final = "rating"
TEXT: Final = "text"
LABEL: Final = "label"
CONTENT: Final = "content"
"""Whether the writer says to be content, by the label or else the rating; null where neither tells"""

# items
ID: Final = "id"
ITEM_GROUP_ID: Final = "item_group_id"
TITLE: Final = "title"
DESCRIPTION: Final = "description"
IMAGE_PATH: Final = "image_path"
PRODUCT_TYPE: Final = "product_type"
BRAND: Final = "brand"
SALE_PRICE: Final = "sale_price"
AVAILABILITY: Final = "availability"
SOLD_OUT: Final = "out_of_stock"
ITEM_PRICES: Final = (PRICE, SALE_PRICE, "cost_of_goods_sold")

EVENT_TYPES: Final[tuple[str, ...]] = get_args(EventType)
"""An event type's place here is its code in `event_type.npy`: append, never reorder."""

EVENT_TYPE_CODE: Final = {name: code for code, name in enumerate(EVENT_TYPES)}
"""Event type → its code."""

ITEM_EVENT_TYPES: Final = (
    "select_item",
    "view_item",
    "add_to_wishlist",
    "add_to_cart",
    "remove_from_cart",
    "purchase",
    "refund",
    "review",
)
"""Event types that require an `item_id`. (`view_item_list` rows may carry one.)"""

UNDOES: Final[dict[EventType, EventType]] = {"refund": "purchase", "remove_from_cart": "add_to_cart"}
"""Event type → the event type it undoes: the latest such event of its user and item that is not undone
yet."""

EVENT_TYPE_ALIASES: Final = {
    "product viewed": "view_item",
    "detail-page-view": "view_item",
    "product added": "add_to_cart",
    "add-to-cart": "add_to_cart",
    "product removed": "remove_from_cart",
    "order completed": "purchase",
    "purchase-complete": "purchase",
    "order refunded": "refund",
    "order cancelled": "refund",
    "products searched": "search",
    "product clicked": "select_item",
    "product list viewed": "view_item_list",
    "product reviewed": "review",
}
"""Segment's and Vertex AI's names, in lower case → ours."""

AVAILABILITIES: Final[tuple[str, ...]] = get_args(Availability)

MICROSECONDS_PER_DAY: Final = 86_400_000_000
"""Every time outside the parquet tables is an int64 count of microseconds since 1970-01-01 UTC."""

MAX_ID_BYTES: Final = 256
"""Ids are opaque strings of at most this many bytes in UTF-8."""

NESTED_STARTS: Final = ('[{"', '["', '{"')
"""How a list or an object in JSON begins. A text that begins so is no id."""

MAX_PRICE: Final = 1e12
"""Price of one unit, in any currency. Prices are kept as float32; a larger one is an error in the data."""

MAX_QUANTITY: Final = 1e12
"""Units of an event: pieces, or kilograms or metres. A larger one is an error in the data."""
