"""From ranked candidates to a list: order, cut, fill up. Shapes: C candidates, N items."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from features.histories import IntArray
from features.retriever import ScoredItems


@dataclass(frozen=True)
class Selected:
    """A list after filters and selectors."""

    items: IntArray
    scores: NDArray[np.float32]
    num_ranked: int
    """How many of the first were ranked candidates; the rest fill the list up."""
    num_allowed: int
    """How many items of the catalogue the filters leave"""
    has_more: bool = False
    """Whether a longer list would have more"""

    def after(self, offset: int) -> Selected:
        """The list without its first `offset` places."""
        if not offset:
            return self
        num_ranked = max(0, self.num_ranked - offset)
        return replace(self, items=self.items[offset:], scores=self.scores[offset:], num_ranked=num_ranked)


def scores_of(
    found: Iterable[ScoredItems],
    items: IntArray,
    *,
    otherwise: NDArray[np.float32],
    allowed: NDArray[np.bool_],
    first_places: int | None = None,
) -> NDArray[np.float32]:
    """Scores (C,) of the ranked `items`: first what was `found`, by the best score that it has there.

    What was found: 1 and that score, in the ranker's order among equals; of more than `first_places` that are
    `allowed` (C,) the best. The rest: the ranker's score, `otherwise`, between 0 and 1.
    """
    best = np.zeros(len(items), np.float32)
    for one in found:
        best = np.maximum(best, one.at(items))
    if first_places is not None:
        order = np.argsort(-best, kind="stable")
        best[order[allowed[order]][first_places:]] = 0.0
    between = (0.5 * (1 + np.tanh(otherwise / 2))).astype(np.float32)  # the logistic function
    return np.where(best > 0, 1 + best, between)


def fill_up(
    selected: Selected, *, fallback: ScoredItems, allowed: NDArray[np.bool_], length: int
) -> Selected:
    """Add the best of `fallback` that `allowed` (N,) marks and that are not there yet, up to `length`."""
    missing = length - len(selected.items)
    if selected.has_more or missing < 0:
        return selected
    free = allowed.copy()
    free[selected.items] = False
    filling = fallback.best(missing + 1, allowed=free)
    has_more, filling = len(filling) > missing, filling[:missing]
    lowest = selected.scores.min(initial=0.0)
    return replace(
        selected,
        items=np.concatenate([selected.items, filling]),
        scores=np.concatenate([selected.scores, np.full(len(filling), lowest, np.float32)]),
        has_more=has_more,
    )
