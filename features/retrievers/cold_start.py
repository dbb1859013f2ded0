"""Items that nobody has had, described like those that the user had. Shapes: N items, K neighbours."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Final, Self

import numpy as np

from configs.schema import Config
from features.interactions import Interactions
from features.neighbour_table import NeighbourTable, content_table, entered
from features.profiles.item_neighbours import Neighbours
from features.retriever import DescribedItems

NUM_NEIGHBOURS: Final = 20
"""New items kept for each item"""


@dataclass(frozen=True)
class ColdStart(NeighbourTable):
    """The way of a new product into personal lists: nothing else proposes what has no events. It proposes
    nothing as long as all that can be shown has some, and a few items beside those of the others otherwise:
    what they propose is as before."""

    name: ClassVar[str] = "cold_start"
    label: ClassVar[str] = "new, and described alike"
    is_baseline: ClassVar[bool] = False
    num_candidates: ClassVar[int] = 20

    @classmethod
    def fit(cls, interactions: Interactions, config: Config) -> Self:
        """See `Retriever.fit`. Without items that nobody has had, the table has no columns."""
        had = np.zeros(interactions.num_items, bool)
        had[interactions.events.items] = True
        count = 0 if had.all() else NUM_NEIGHBOURS
        found = content_table(interactions, count=count, among=~had)
        return cls(items=found.items, scores=found.scores)

    def described(self, new: DescribedItems) -> Self:
        """See `Retriever.described`: only in the rows of their neighbours, since the others have events."""
        found = entered(self._with_room(), new.items, near=new.neighbours)
        return replace(self, items=found.items, scores=found.scores)

    def _with_room(self) -> Neighbours:
        missing = ((0, 0), (0, NUM_NEIGHBOURS - self.items.shape[1]))
        return Neighbours(
            items=np.pad(self.items, missing, constant_values=-1), scores=np.pad(self.scores, missing)
        )
