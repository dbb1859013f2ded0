"""Promotions: a share of a list's places for items that the shop wants to be seen. Shapes: N items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.histories import IntArray
from features.retriever import Retrieval


@dataclass(frozen=True)
class Promotion:
    """What is promoted, and how much of it."""

    name: str
    matches: NDArray[np.bool_]
    """(N,)"""
    share: float
    """Of the places of a list, 0 to 1"""

    def num_places(self, num_results: int) -> int:
        """Of a page with so many results, rounded."""
        return int(self.share * num_results + 0.5)


@dataclass(frozen=True)
class Promoted:
    """What a promotion has for one user."""

    promotion: Promotion
    items: IntArray
    """Best first, by the user's own score"""
    scores: NDArray[np.float32]
    retrievals: Mapping[str, Retrieval]
    """Where their reasons come from"""


def spread(num_places: int, *, free: list[int], num_results: int) -> list[int]:
    """So many of the places `free`, spread evenly over a page of `num_results`; they are taken out of it."""
    taken = []
    for number in range(min(num_places, len(free))):
        ideal = (number + 0.5) * num_results / num_places - 0.5
        nearest = min(free, key=lambda place: abs(place - ideal))
        free.remove(nearest)
        taken.append(nearest)
    return sorted(taken)
