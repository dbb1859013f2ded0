"""Items of the basket that follows. Shapes: N items, K neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from configs.schema import Config
from features.histories import IntArray
from features.interactions import Interactions
from features.profiles.item_neighbours import Neighbours, closest, next_neighbours, sum_neighbours
from features.retriever import Column, Reason, Retrieval, Retriever, ScoredItems, UserContext, Wording
from features.sessions import session_numbers


@dataclass(frozen=True)
class NextBasket(Retriever):
    """Neighbours of the user's latest items, by the cosine of a basket and the same user's next one."""

    name: ClassVar[str] = "next_basket"
    label: ClassVar[str] = "bought next"
    columns: ClassVar[tuple[str, ...]] = ("next_basket_score",)
    shapes: ClassVar[Mapping[str, str]] = {"items": "item N K", "scores": "float N K"}

    items: IntArray
    """(N, K) see `Neighbours`"""
    scores: NDArray[np.float32]
    """(N, K)"""

    @classmethod
    def fit(cls, interactions: Interactions, config: Config) -> Self:
        """See `Retriever.fit`. The baskets of one session count as one, where there are times."""
        users, events = interactions.users, interactions.events
        if interactions.has_times:
            events = replace(events, baskets=session_numbers(users, events))
        found = next_neighbours(
            users,
            events,
            num_items=interactions.num_items,
            as_of=interactions.as_of,
            num_neighbours=config.retrievers.num_neighbours,
            days=config.retrievers.next_basket_days,
        )
        return cls(items=found.items, scores=found.scores)

    @property
    def neighbours(self) -> Neighbours:
        """The table."""
        return Neighbours(items=self.items, scores=self.scores)

    def for_user(self, user: UserContext) -> ScoredItems:
        """See `Retriever.for_user`."""
        return ScoredItems(*sum_neighbours(self.neighbours, user.profile.recent_items))

    def features(self, items: IntArray, retrieval: Retrieval) -> Mapping[str, Column]:
        """See `Retriever.features`."""
        return {"next_basket_score": np.log1p(10 * retrieval.for_user.at(items))}

    def reasons(self, items: IntArray, retrieval: Retrieval, wording: Wording) -> Mapping[int, Reason]:
        """The best of the user's latest items."""
        had = closest(items, among=retrieval.user.profile.recent_items, neighbours=self.neighbours)
        return {
            item: Reason(
                "goes_with", f"Often {wording.done} after {wording.titles[other]}", other, priority=4
            )
            for item, other in had.items()
        }
