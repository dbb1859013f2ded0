"""The types of events that a shop sends, as Google Analytics 4 names them."""

from __future__ import annotations

from typing import Literal

EventType = Literal[
    "page_view",
    "view_item_list",
    "select_item",
    "view_item",
    "add_to_wishlist",
    "add_to_cart",
    "remove_from_cart",
    "view_cart",
    "begin_checkout",
    "purchase",
    "refund",
    "search",
    "view_promotion",
    "select_promotion",
    "review",
    "contact",
]
"""An event type's position here is its code in datasets: append, never reorder."""
TARGET_EVENT_TYPES: tuple[EventType, ...] = (
    "select_item",
    "view_item",
    "add_to_wishlist",
    "add_to_cart",
    "purchase",
    "review",
)
"""Event types that a recommendation can bring about: those with an item that do not undo another event."""
