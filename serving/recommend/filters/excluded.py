"""What the request excludes."""

from __future__ import annotations

from typing import ClassVar

from features.histories import IntArray
from serving.recommend.filter import Filter, FilterContext


class Excluded(Filter):
    """What the request excludes."""

    name: ClassVar[str] = "excluded"
    reason: ClassVar[str] = "was excluded by the request"
    always: ClassVar[bool] = True

    @staticmethod
    def removed(context: FilterContext) -> IntArray:
        """See `Filter.removed`."""
        return context.query.exclude
