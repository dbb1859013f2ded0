"""Items that the catalogue describes alike. Shapes: N items, K neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from configs.schema import Config
from features.interactions import Interactions
from features.neighbour_table import NeighbourTable, content_table


@dataclass(frozen=True)
class Content(NeighbourTable):
    """Neighbours by the words of the title, the category path and the brand; no event is needed."""

    name: ClassVar[str] = "content"
    label: ClassVar[str] = "described alike"
    is_general: ClassVar[bool] = False

    @classmethod
    def fit(cls, interactions: Interactions, config: Config) -> Self:
        """See `Retriever.fit`: of the catalogue, as it was at the split point."""
        found = content_table(interactions, count=config.retrievers.num_neighbours)
        return cls(items=found.items, scores=found.scores)
