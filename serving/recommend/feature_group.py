"""The contract of a group of ranker columns that no retriever brings. Shapes: C candidates."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from features.histories import IntArray
from features.profiles.item_profiles import ItemProfiles
from features.profiles.user_profile import UserProfile
from features.retriever import Column


@dataclass(frozen=True)
class CandidateContext:
    """What the columns are computed from, besides the candidates."""

    profile: UserProfile
    item_profiles: ItemProfiles
    as_of: int
    """Now, in microseconds since 1970 UTC"""


class FeatureGroup(ABC):
    """A named block of columns, computed for all candidates at once."""

    name: ClassVar[str]
    """The name of its module"""
    columns: ClassVar[tuple[str, ...]]
    time_columns: ClassVar[tuple[str, ...]] = ()
    """Those of them that mean nothing on an ordinal clock: they are 0 there"""

    @staticmethod
    @abstractmethod
    def compute(items: IntArray, context: CandidateContext) -> Mapping[str, Column]:
        """Its `columns` of the candidates `items` (C,)."""
