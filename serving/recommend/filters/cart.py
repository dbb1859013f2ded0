"""What lies in the cart."""

from __future__ import annotations

from typing import ClassVar

from features.histories import IntArray
from serving.recommend.filter import Filter, FilterContext


class Cart(Filter):
    """What lies in the cart."""

    name: ClassVar[str] = "cart"
    reason: ClassVar[str] = "lies in the cart"

    @staticmethod
    def removed(context: FilterContext) -> IntArray:
        """See `Filter.removed`."""
        return context.profile.cart_items
