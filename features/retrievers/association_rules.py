"""What completes a cart: items that are bought with those on the page. Shapes: N items, K neighbours, S
substitutes, P pairs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray

from configs.schema import Config
from features.histories import IntArray
from features.interactions import Interactions
from features.profiles.association_rules import Pairs
from features.profiles.item_neighbours import SHRINKAGE, Neighbours, closest, sum_neighbours
from features.profiles.item_relations import item_relations
from features.retriever import Column, Reason, Retrieval, Retriever, ScoredItems, Wording

EXPONENT: Final = 1.5
"""Of a rule's score before the rules of a cart's items are added up. 1: all of them count. Far above: the
best rule alone. Either found fewer of the items that were hidden in baskets, at a grocer or a gift shop."""

MAX_SUBSTITUTES: Final = 50
"""Substitutes kept of an item: those that it was looked at with most often."""


@dataclass(frozen=True)
class AssociationRules(Retriever):
    """Complements of the items on the page, without what would replace one of them."""

    name: ClassVar[str] = "association_rules"
    label: ClassVar[str] = "goes together"
    columns: ClassVar[tuple[str, ...]] = ("rule_score",)
    is_general: ClassVar[bool] = False
    shapes: ClassVar[Mapping[str, str]] = {
        "items": "item N K",
        "scores": "float N K",
        "substitutes": "item N S",
    }

    items: IntArray
    """(N, K) complements of each item, best first, -1 where there are fewer"""
    scores: NDArray[np.float32]
    """(N, K) see `rule_scores`"""
    substitutes: IntArray
    """(N, S) -1 where there are fewer"""

    @classmethod
    def fit(cls, interactions: Interactions, config: Config) -> Self:
        """See `Retriever.fit`."""
        relations = item_relations(interactions)
        num_items, width = interactions.num_items, config.retrievers.num_neighbours
        items, scores = _table(
            relations.complements, rule_scores(relations.complements), num_items=num_items, width=width
        )
        others = relations.substitutes
        substitutes, _ = _table(
            others, np.tile(others.together, 2), num_items=num_items, width=MAX_SUBSTITUTES
        )
        return cls(items=items, scores=scores, substitutes=substitutes)

    def for_page(self, items: IntArray) -> ScoredItems:
        """See `Retriever.for_page`: the sum over `items`, without them and their substitutes."""
        found, scores = sum_neighbours(self._neighbours, items)
        replacing = self.substitutes[items].ravel()
        is_out = np.zeros(len(self.items), bool)
        is_out[items] = True
        is_out[replacing[replacing >= 0]] = True
        kept = ~is_out[found]
        return ScoredItems(found[kept], scores[kept])

    def features(self, items: IntArray, retrieval: Retrieval) -> Mapping[str, Column]:
        """See `Retriever.features`: 0 for every candidate where nothing is on the page."""
        found = retrieval.for_page
        return {"rule_score": np.log1p(10 * found.at(items)) if len(found.items) else 0.0}

    def reasons(self, items: IntArray, retrieval: Retrieval, wording: Wording) -> Mapping[int, Reason]:
        """The item on the page that says most for it."""
        found = closest(items, among=retrieval.context_items, neighbours=self._neighbours)
        how = f"{wording.done.capitalize()} together with"
        return {
            item: Reason("goes_with", f"{how} {wording.titles[other]}", other, priority=1)
            for item, other in found.items()
        }

    @property
    def _neighbours(self) -> Neighbours:
        return Neighbours(items=self.items, scores=self.scores)


def rule_scores(pairs: Pairs) -> NDArray[np.float64]:
    """(2P,) how much each pair says, left to right and then right to left: its confidence, shrunk for items
    in few baskets, times the logarithm of its lift; much neither for what is in every basket nor for what is
    in two. To the power of `EXPONENT`.

    The main term of the J-measure (Smyth & Goodman 1992, doi:10.1109/69.149926).
    """
    together = np.tile(pairs.together, 2)
    with_item = pairs.counts[np.concatenate([pairs.left, pairs.right])]
    scores: NDArray[np.float64] = together / (with_item + SHRINKAGE) * np.log(np.tile(pairs.lift, 2))
    return scores**EXPONENT


def _table(
    pairs: Pairs, scores: NDArray[np.floating[Any]], *, num_items: int, width: int
) -> tuple[IntArray, NDArray[np.float32]]:
    """For each item (N) the `width` others with the highest `scores` (2P,), and those; -1 and 0 where there
    are fewer."""
    rows = np.concatenate([pairs.left, pairs.right])
    others = np.concatenate([pairs.right, pairs.left])
    order = np.lexsort((others, -scores, rows))
    rows, others, scores = rows[order], others[order], scores[order]
    place = np.arange(len(rows)) - np.searchsorted(rows, rows)
    kept = place < width
    found = np.full((num_items, width), -1, np.int32)
    kept_scores = np.zeros((num_items, width), np.float32)
    found[rows[kept], place[kept]] = others[kept]
    kept_scores[rows[kept], place[kept]] = scores[kept]
    return found, kept_scores
