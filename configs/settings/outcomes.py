"""The outcomes whose probabilities the ranker learns, and what a list is ordered by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, get_args

from configs.settings.event_types import EventType

Outcome = Literal["click", "add_to_cart", "purchase"]
"""What a user may do with an item that is shown to them."""
ValueName = Literal["click", "add_to_cart", "purchase", "revenue", "margin"]
"""What a surface may weigh: an outcome, or what a purchase brings in."""

OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)
MONEY: Final[tuple[ValueName, ...]] = ("revenue", "margin")
"""Weights that count a purchase by an amount of money."""

OUTCOME_EVENT_TYPES: Final[Mapping[Outcome, tuple[EventType, ...]]] = {
    "click": ("select_item", "view_item"),
    "add_to_cart": ("add_to_cart",),
    "purchase": ("purchase",),
}
"""Outcome → its event types; a refund undoes its purchase, a removal from the cart its addition."""


def outcome_of(name: ValueName) -> Outcome:
    """The outcome whose probability a weight multiplies."""
    return "purchase" if name in MONEY else name  # type: ignore[return-value]
