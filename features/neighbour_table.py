"""A retriever that is a table of neighbours of items. Shapes: N items, M new ones, K neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from features.core.compiled import compiled
from features.histories import IntArray
from features.interactions import Interactions
from features.profiles.content_neighbours import ContentNeighbours
from features.profiles.item_neighbours import Neighbours, closest, sum_neighbours
from features.retriever import DescribedItems, Reason, Retrieval, Retriever, ScoredItems, UserContext, Wording


@dataclass(frozen=True)
class NeighbourTable(Retriever):
    """Gives what is like the items of the page, or like the user's latest ones."""

    shapes: ClassVar[Mapping[str, str]] = {"items": "item N K", "scores": "float N K"}

    items: IntArray
    """(N, K) see `Neighbours`"""
    scores: NDArray[np.float32]
    """(N, K)"""

    @property
    def neighbours(self) -> Neighbours:
        """The table."""
        return Neighbours(items=self.items, scores=self.scores)

    def for_user(self, user: UserContext) -> ScoredItems:
        """See `Retriever.for_user`."""
        return ScoredItems(*sum_neighbours(self.neighbours, user.profile.recent_items))

    def for_page(self, items: IntArray) -> ScoredItems:
        """See `Retriever.for_page`. What is on the page is not among its own neighbours."""
        found, scores = sum_neighbours(self.neighbours, items)
        is_other = ~np.isin(found, items)
        return ScoredItems(found[is_other], scores[is_other])

    def reasons(self, items: IntArray, retrieval: Retrieval, wording: Wording) -> Mapping[int, Reason]:
        """The item on the page that is most like it, else the most alike of the user's latest."""
        on_page = closest(items, among=retrieval.context_items, neighbours=self.neighbours)
        had = closest(items, among=retrieval.user.profile.recent_items, neighbours=self.neighbours)
        return {
            item: Reason("similar", f"Similar to {wording.titles[other]}", other, priority=2)
            for item, other in (had | on_page).items()
        }

    def described(self, new: DescribedItems) -> Self:
        """See `Retriever.described`: a row for each new item, which takes its place in the rows of its
        neighbours."""
        found = entered(self.neighbours, new.items, near=new.neighbours, rows=new.neighbours)
        return replace(self, items=found.items, scores=found.scores)


def entered(
    table: Neighbours, new: IntArray, *, near: Neighbours, rows: Neighbours | None = None
) -> Neighbours:
    """A table (N, K) with the `new` items (M,) in the rows of those that they are `near` (M, J), behind what
    is as near, and with `rows` (M, J) of their own. What it said of them before goes."""
    items, scores = np.array(table.items), np.array(table.scores)
    _remove(items, scores, new)
    if rows is not None:
        width = min(items.shape[1], rows.items.shape[1])
        items[new, :width], scores[new, :width] = rows.items[:, :width], rows.scores[:, :width]
    _enter(items, scores, new, near.items, near.scores)
    return Neighbours(items=items, scores=scores)


def content_table(
    interactions: Interactions, *, count: int, among: NDArray[np.bool_] | None = None
) -> Neighbours:
    """(N, `count`) of each item, those that the catalogue describes most alike; of what `among` (N,) marks.
    None for a shop without a catalogue."""
    catalogue = interactions.catalogue()
    if len(catalogue):
        return ContentNeighbours.of(catalogue).table(count, among=among)
    shape = (interactions.num_items, count)
    return Neighbours(items=np.full(shape, -1, np.int32), scores=np.zeros(shape, np.float32))


@compiled
def _remove(items: IntArray, scores: NDArray[np.float32], gone: IntArray) -> None:
    """Empty the rows of what is gone, and close the gaps that it leaves in others."""
    is_gone = np.zeros(len(items), np.bool_)
    is_gone[gone] = True
    for row in range(len(items)):
        kept = 0
        for column in range(items.shape[1]):
            item, score = items[row, column], scores[row, column]
            if item >= 0 and not is_gone[item] and not is_gone[row]:
                items[row, kept], scores[row, kept] = item, score
                kept += 1
        items[row, kept:] = -1
        scores[row, kept:] = 0.0


@compiled
def _enter(
    items: IntArray,
    scores: NDArray[np.float32],
    new: IntArray,
    near: IntArray,
    near_scores: NDArray[np.float32],
) -> None:
    """Write each of `new` (M,) into the rows of what it is `near` (M, J), where it is not yet."""
    width = items.shape[1]
    for place in range(len(new)):
        for column in range(near.shape[1]):
            row, score = near[place, column], near_scores[place, column]
            if row < 0 or np.any(items[row] == new[place]):
                continue
            at = width
            while at > 0 and scores[row, at - 1] < score:
                at -= 1
            for later in range(width - 1, at, -1):
                items[row, later], scores[row, later] = items[row, later - 1], scores[row, later - 1]
            if at < width:
                items[row, at], scores[row, at] = new[place], score
