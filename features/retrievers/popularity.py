"""What sells: target events by weight in the recent window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray

from configs.schema import Config
from features.core.membership import is_in
from features.histories import IntArray
from features.interactions import Interactions
from features.profiles.item_popularity import popularity
from features.retriever import (
    LIVE,
    Column,
    DescribedItems,
    Reason,
    Retrieval,
    Retriever,
    ScoredItems,
    UserContext,
    Wording,
)

_NEW: Final = Reason("new", "New in the shop")


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
    new: IntArray = field(default_factory=lambda: np.empty(0, np.int32), metadata=LIVE)
    """Items that came later; they are the last of `ranked`"""
    expected: NDArray[np.float32] | None = field(default=None, metadata=LIVE)
    """(N,) `recent`, with what is to be expected of those that came later; None where there are none"""

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

    def grown(self, num_items: int, *, new: IntArray) -> Self:
        """See `Retriever.grown`: new items come last, the newest first."""
        longer = super().grown(num_items, new=new)
        return replace(
            longer, ranked=np.concatenate([self.ranked, new[::-1]]), new=np.concatenate([self.new, new])
        )

    def described(self, new: DescribedItems) -> Self:
        """See `Retriever.described`: the ranker reads what is to be expected; the order of the list stays."""
        expected = np.array(self.recent)
        if self.expected is not None:
            expected[: len(self.expected)] = self.expected
        expected[new.items] = new.popularity
        return replace(self, expected=expected)

    def features(self, items: IntArray, retrieval: Retrieval) -> Mapping[str, Column]:
        """See `Retriever.features`."""
        known = self.recent if self.expected is None else self.expected
        return {"popularity": np.log1p(known[items])}

    def reasons(self, items: IntArray, retrieval: Retrieval, wording: Wording) -> Mapping[int, Reason]:
        """The last of all reasons. What had no target event in the recent window is not called popular."""
        popular = Reason("popular", f"Popular in the shop{wording.lately}")
        rest = Reason("long_tail", f"{wording.done.capitalize()} in the shop before")
        proposed = items[is_in(items, retrieval.proposed)]
        found = {item: popular if self.recent[item] > 0 else rest for item in proposed.tolist()}
        new = set(self.new.tolist())
        return found | {item: _NEW for item in found if item in new}

    @cached_property
    def _found(self) -> ScoredItems:
        items = np.sort(self.ranked)
        return ScoredItems(items=items, scores=np.asarray(self.recent)[items], ranked=self.ranked)
