"""What cannot be bought, or is not known to the bundle."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from serving.recommend.filter import Filter, FilterContext


class Unavailable(Filter):
    """What cannot be bought, or is not known to the bundle."""

    name: ClassVar[str] = "unavailable"
    reason: ClassVar[str] = "cannot be bought at present"
    always: ClassVar[bool] = True

    @staticmethod
    def removed(context: FilterContext) -> NDArray[np.bool_]:
        """See `Filter.removed`."""
        return ~context.recommendable
