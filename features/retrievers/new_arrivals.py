"""What came into the shop lately."""

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
from features.profiles.arrivals import arrival_ages
from features.retriever import Reason, Retrieval, Retriever, ScoredItems, UserContext, Wording


@dataclass(frozen=True)
class NewArrivals(Retriever):
    """The items that came in the last `retrievers.new_days`, the newest first, the same for everybody. One
    that is put into the live catalogue is in it at once."""

    name: ClassVar[str] = "new_arrivals"
    label: ClassVar[str] = "new arrivals"
    is_general: ClassVar[bool] = False
    num_candidates: ClassVar[int] = 300
    shapes: ClassVar[Mapping[str, str]] = {"age_days": "float N", "is_proven": "bool N"}

    age_days: NDArray[np.float32]
    """(N,) from an item's arrival to the split point, see `arrival_ages`; 0 for one that came after it"""
    is_proven: NDArray[np.bool_]
    """(N,) items with `retrievers.new_events` target events, by weight"""

    @classmethod
    def fit(cls, interactions: Interactions, config: Config) -> Self:
        """See `Retriever.fit`."""
        settings, size = config.retrievers, interactions.num_items
        had = np.bincount(interactions.events.items, weights=interactions.weights, minlength=size)
        ages = arrival_ages(interactions, days=settings.new_days)
        return cls(age_days=ages, is_proven=had >= settings.new_events)

    @cached_property
    def is_unproven(self) -> NDArray[np.bool_]:
        """(N,) new arrivals that have no numbers of their own yet."""
        found: NDArray[np.bool_] = np.isfinite(self.age_days) & ~self.is_proven
        return found

    def for_user(self, user: UserContext) -> ScoredItems:
        """See `Retriever.for_user`; for a user of whom nothing is known, too."""
        return self._found

    def reasons(self, items: IntArray, retrieval: Retrieval, wording: Wording) -> Mapping[int, Reason]:
        """The same for all that is new."""
        reason = Reason("new", "New in the shop", priority=5)
        return dict.fromkeys(items[is_in(items, retrieval.proposed)].tolist(), reason)

    @cached_property
    def _found(self) -> ScoredItems:
        items = np.flatnonzero(np.isfinite(self.age_days)).astype(np.int32)
        scores = (1 / (1 + np.asarray(self.age_days)[items])).astype(np.float32)
        newest_first = items[np.lexsort((-items, -scores))]  # of those that came together, what was put last
        return ScoredItems(items=items, scores=scores, ranked=newest_first)
