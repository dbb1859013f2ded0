"""The contract of a filter: what it takes out of a list, and why."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from features.histories import IntArray
from features.profiles.user_profile import UserProfile
from serving.recommend.request import Query, no_items


@dataclass(frozen=True)
class FilterContext:
    """What a filter decides by."""

    query: Query
    profile: UserProfile
    recommendable: NDArray[np.bool_]
    """(N,) items that the bundle knows and that can be bought"""
    item_groups: Callable[[], IntArray] = no_items
    """Gives the group of variants of each item (N,), -1 without one; empty where no item has one. Not asked
    before it is needed"""


class Filter(ABC):
    """Takes items away. Without state: everything it needs is in the context."""

    name: ClassVar[str]
    """The name of its module"""
    reason: ClassVar[str]
    """Why an item is not in the list, for `explain`"""
    always: ClassVar[bool] = False
    """True where it holds on every surface, whatever `surfaces.*.filters` says"""

    @staticmethod
    @abstractmethod
    def removed(context: FilterContext) -> IntArray | NDArray[np.bool_]:
        """The items that must not be shown: indices, or a mask (N,)."""
