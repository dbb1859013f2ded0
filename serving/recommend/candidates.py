"""Candidates: what every source proposes, with the numbers that the ranker reads. Shapes: C candidates, F
features, D width of the vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.histories import IntArray
from features.retrievers.item_neighbours import Neighbours, neighbour_scores
from serving.recommend.feature_names import FEATURES

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Scores:
    """A sparse vector over the catalogue: items ascending, and a number for each."""

    items: IntArray
    values: FloatArray

    @classmethod
    def none(cls) -> Scores:
        return cls(items=np.empty(0, np.int32), values=np.empty(0, np.float32))

    def at(self, items: IntArray) -> FloatArray:
        """The numbers of `items`, 0 where there is none."""
        if not len(self.items):
            return np.zeros(len(items), np.float32)
        place = np.minimum(np.searchsorted(self.items, items), len(self.items) - 1)
        return np.where(self.items[place] == items, self.values[place], np.float32(0))

    def best(self, count: int) -> IntArray:
        """The items with the largest numbers, best first."""
        return self.items[np.argsort(-self.values, kind="stable")[:count]]


@dataclass(frozen=True)
class Signals:
    """What the sources say of one request, before any item is picked."""

    together: Scores
    """Items in baskets with the person's recent items"""
    following: Scores
    """Items in the next basket after them"""
    people: Scores
    """Items that people like this one had lately and this one has not"""
    context: Scores
    """Items in baskets with what is on the page, in the cart or was just looked at"""
    context_items: IntArray
    query_vector: FloatArray | None
    """(D,); None without a history"""
    nearest: IntArray
    """Items nearest to the query vector, best first"""


@dataclass(frozen=True)
class Candidates:
    """The union of what the sources propose."""

    items: IntArray
    """(C,) distinct, ascending"""
    features: FloatArray
    """(C, F) in the order of `FEATURES`"""
    proposed_by: Mapping[str, IntArray]
    """Source → its items, best first"""

    def feature(self, name: str) -> FloatArray:
        return self.features[:, FEATURES.index(name)]


def sum_neighbours(neighbours: Neighbours, of: IntArray) -> Scores:
    """The neighbours of the items `of`, summed; a later place in `of` weighs a little less."""
    if not len(of):
        return Scores.none()
    weights = (1.0 / np.sqrt(1.0 + np.arange(len(of)) / 10.0)).astype(np.float32)
    items, sums = neighbour_scores(neighbours, of, weights)
    return Scores(items=items, values=sums)
