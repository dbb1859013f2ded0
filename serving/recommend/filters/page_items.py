"""What is on the page already."""

from __future__ import annotations

from typing import ClassVar

from features.histories import IntArray
from serving.recommend.filter import Filter, FilterContext


class PageItems(Filter):
    """What is on the page already."""

    name: ClassVar[str] = "page_items"
    reason: ClassVar[str] = "is on the page"

    @staticmethod
    def removed(context: FilterContext) -> IntArray:
        """See `Filter.removed`."""
        return context.query.page_items
