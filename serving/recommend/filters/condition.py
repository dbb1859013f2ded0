"""What the request's filter does not let through."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from features.histories import IntArray
from serving.recommend.filter import Filter, FilterContext
from serving.recommend.request import no_items


class Condition(Filter):
    """What the request's filter does not let through."""

    name: ClassVar[str] = "condition"
    reason: ClassVar[str] = "does not fulfil the request's filter"
    always: ClassVar[bool] = True

    @staticmethod
    def removed(context: FilterContext) -> IntArray | NDArray[np.bool_]:
        """See `Filter.removed`."""
        return no_items() if context.query.matches is None else ~context.query.matches
