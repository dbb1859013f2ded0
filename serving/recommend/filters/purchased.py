"""What the user purchased lately, where the request says to leave it out."""

from __future__ import annotations

from typing import ClassVar

from features.histories import IntArray
from serving.recommend.filter import Filter, FilterContext


class Purchased(Filter):
    """What the user purchased in the last days: as many as the request says, and ever on an ordinal clock."""

    name: ClassVar[str] = "purchased"
    reason: ClassVar[str] = "was purchased lately"
    always: ClassVar[bool] = True

    @staticmethod
    def removed(context: FilterContext) -> IntArray:
        """See `Filter.removed`."""
        return context.query.lately("purchase", days=context.query.exclude_purchased_days)
