"""What the user viewed lately, where the request says to leave it out."""

from __future__ import annotations

from typing import ClassVar

from features.histories import IntArray
from serving.recommend.filter import Filter, FilterContext


class Viewed(Filter):
    """What the user viewed in the last days: as many as the request says, and ever on an ordinal clock."""

    name: ClassVar[str] = "viewed"
    reason: ClassVar[str] = "was viewed lately"
    always: ClassVar[bool] = True

    @staticmethod
    def removed(context: FilterContext) -> IntArray:
        """See `Filter.removed`."""
        return context.query.lately("view_item", days=context.query.exclude_viewed_days)
