"""What sells: target events by weight in the recent window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from configs.schema import Config
from features.core.membership import is_in
from features.histories import IntArray
from features.interactions import Interactions
from features.profiles.item_popularity import popularity
from features.retriever import Column, Reason, Retrieval, Retriever, ScoredItems, UserContext, Wording


@dataclass(frozen=True)
class Popularity(Retriever):
    """The same list for everybody. Items without a target event before the split point are not in it."""

    name: ClassVar[str] = "popularity"
    label: ClassVar[str] = "popular lately"
    columns: ClassVar[tuple[str, ...]] = ("popularity",)
    shapes: ClassVar[Mapping[str, str]] = {"recent": "float N", "ranked": "item M"}

    recent: NDArray[np.float32]
    """(N,) summed weight of the target events in the recent window (all of the past on an ordinal clock)"""
    ranked: IntArray
    """(M,) items with a target event before the split point, the most popular first"""

    @classmethod
    def fit(cls, interactions: Interactions, config: Config) -> Self:
        """See `Retriever.fit`."""
        days = config.retrievers.popularity_days if interactions.has_times else None
        size = {"num_items": interactions.num_items, "as_of": interactions.as_of}
        recent = popularity(interactions.events, weights=interactions.weights, days=days, **size)
        ever = popularity(interactions.events, weights=interactions.weights, days=None, **size)
        order = np.argsort(-recent, kind="stable")
        return cls(recent=recent, ranked=order[ever[order] > 0].astype(np.int32))

    def for_user(self, user: UserContext) -> ScoredItems:
        """See `Retriever.for_user`; for a user of whom nothing is known, too."""
        return self._found

    def features(self, items: IntArray, retrieval: Retrieval) -> Mapping[str, Column]:
        """See `Retriever.features`."""
        return {"popularity": np.log1p(self.recent[items])}

    def reasons(self, items: IntArray, retrieval: Retrieval, wording: Wording) -> Mapping[int, Reason]:
        """The last of all reasons. What had no target event in the recent window is not called popular."""
        popular = Reason("popular", f"Popular in the shop{wording.lately}")
        rest = Reason("long_tail", f"{wording.done.capitalize()} in the shop before")
        proposed = items[is_in(items, retrieval.proposed)]
        return {item: popular if self.recent[item] > 0 else rest for item in proposed.tolist()}

    @cached_property
    def _found(self) -> ScoredItems:
        items = np.sort(self.ranked)
        return ScoredItems(items=items, scores=np.asarray(self.recent)[items], ranked=self.ranked)
