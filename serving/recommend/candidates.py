"""Candidates: what the retrievers propose, with the columns that the ranker reads.

The ranker is trained on the output of this file and served with it: there is no second implementation.
Shapes: C candidates, F columns, N items.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.histories import IntArray
from features.retriever import Column, Retrieval, Retriever, UserContext
from serving.recommend.bundle import Bundle
from serving.recommend.feature_group import CandidateContext, FeatureGroup
from serving.recommend.feature_groups import feature_groups
from serving.recommend.retrieved import Retrieved


@dataclass(frozen=True)
class KnownUser:
    """All that the stored history says by itself, at one moment: may be kept between requests."""

    context: UserContext
    retrieved: Retrieved
    """Retriever → what it gives for the user"""


@dataclass(frozen=True)
class Candidates:
    """What the retrievers of a surface propose together, after the first pass."""

    items: IntArray
    """(C,) distinct"""
    features: NDArray[np.float32]
    """(C, F)"""
    columns: tuple[str, ...]
    """(F,)"""
    retrievals: Mapping[str, Retrieval]
    """Retriever → what it found, of every retriever of the bundle"""

    def feature(self, name: str) -> NDArray[np.float32]:
        """One column (C,)."""
        return self.features[:, self.columns.index(name)]


class RankerColumns:
    """The ranker's columns: those of the bundle's retrievers, then those of the feature groups."""

    def __init__(self, retrievers: Mapping[str, Retriever], groups: Sequence[type[FeatureGroup]]) -> None:
        self._retrievers = {name: one for name, one in retrievers.items() if one.columns}
        self._groups = groups
        parts: Iterable[Retriever | type[FeatureGroup]] = (*retrievers.values(), *groups)
        blocks = [(part.name, part.columns, part.time_columns) for part in parts]
        self.groups: dict[str, tuple[str, ...]] = {name: columns for name, columns, _ in blocks}
        """Retriever or feature group → its columns"""
        self.names: tuple[str, ...] = tuple(name for _, columns, _ in blocks for name in columns)
        self.of_time = frozenset(name for *_, of_time in blocks for name in of_time)

    @classmethod
    def of(cls, bundle: Bundle) -> RankerColumns:
        """Those of a bundle."""
        return cls(bundle.retrievers, feature_groups(bundle.settings.feature_groups))

    def compute(
        self,
        items: IntArray,
        *,
        retrievals: Mapping[str, Retrieval],
        context: CandidateContext,
        has_times: bool,
    ) -> NDArray[np.float32]:
        """(C, F) in the order of `names`."""
        found: dict[str, Column] = {}
        for name, retriever in self._retrievers.items():
            found.update(retriever.features(items, retrievals[name]))
        for group in self._groups:
            found.update(group.compute(items, context))
        if not has_times:
            found.update(dict.fromkeys(self.of_time, 0.0))
        columns = np.empty((len(self.names), len(items)), np.float32)
        for place, name in enumerate(self.names):
            columns[place] = found[name]
        return np.ascontiguousarray(columns.T)
