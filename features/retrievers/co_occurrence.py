"""Items that stand in one basket. Shapes: N items, K neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from configs.schema import Config
from features.histories import IntArray
from features.interactions import Interactions
from features.profiles.item_neighbours import Neighbours, basket_neighbours, closest, sum_neighbours
from features.retriever import Column, Reason, Retrieval, Retriever, ScoredItems, UserContext, Wording
from features.sessions import session_numbers


@dataclass(frozen=True)
class CoOccurrence(Retriever):
    """Neighbours of the items on the page, or of the user's latest ones, by the cosine of their baskets."""

    name: ClassVar[str] = "co_occurrence"
    label: ClassVar[str] = "bought together"
    columns: ClassVar[tuple[str, ...]] = ("co_occurrence_score", "page_score", "has_page")
    shapes: ClassVar[Mapping[str, str]] = {"items": "item N K", "scores": "float N K"}

    items: IntArray
    """(N, K) see `Neighbours`"""
    scores: NDArray[np.float32]
    """(N, K)"""

    @classmethod
    def fit(cls, interactions: Interactions, config: Config) -> Self:
        """See `Retriever.fit`. The baskets of one session count as one, where there are times."""
        events = interactions.events
        if interactions.has_times:
            events = replace(events, baskets=session_numbers(interactions.users, events))
        found = basket_neighbours(
            events,
            num_items=interactions.num_items,
            as_of=interactions.as_of,
            num_neighbours=config.retrievers.num_neighbours,
        )
        return cls(items=found.items, scores=found.scores)

    @property
    def neighbours(self) -> Neighbours:
        """The table."""
        return Neighbours(items=self.items, scores=self.scores)

    def for_user(self, user: UserContext) -> ScoredItems:
        """See `Retriever.for_user`."""
        return ScoredItems(*sum_neighbours(self.neighbours, user.profile.recent_items))

    def for_page(self, items: IntArray) -> ScoredItems:
        """See `Retriever.for_page`."""
        return ScoredItems(*sum_neighbours(self.neighbours, items))

    def features(self, items: IntArray, retrieval: Retrieval) -> Mapping[str, Column]:
        """See `Retriever.features`."""
        return {
            "co_occurrence_score": np.log1p(10 * retrieval.for_user.at(items)),
            "page_score": np.log1p(10 * retrieval.for_page.at(items)),
            "has_page": float(len(retrieval.context_items) > 0),
        }

    def reasons(self, items: IntArray, retrieval: Retrieval, wording: Wording) -> Mapping[int, Reason]:
        """The item on the page that goes best with it, else the best of the user's latest."""
        on_page = closest(items, among=retrieval.context_items, neighbours=self.neighbours)
        had = closest(items, among=retrieval.user.profile.recent_items, neighbours=self.neighbours)
        titles = wording.titles
        return {
            item: Reason("goes_with", f"Often {wording.done} with {titles[other]}", other, priority=3)
            for item, other in had.items()
        } | {
            item: Reason("goes_with", f"Goes with {titles[other]}", other, priority=1)
            for item, other in on_page.items()
        }
