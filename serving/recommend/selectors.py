"""From ranked candidates to a list: order, cut, fill up. Shapes: C candidates, N items."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.histories import IntArray
from features.retriever import Retriever, ScoredItems


@dataclass(frozen=True)
class Selected:
    """A list after filters and selectors."""

    items: IntArray
    scores: NDArray[np.float32]
    num_ranked: int
    """How many of the first were ranked candidates; the rest fill the list up."""


def order_by_page(
    items: IntArray, *, retrievers: Iterable[Retriever], page_items: IntArray
) -> NDArray[np.intp]:
    """Places of the ranked `items` (C,), what goes best with the page first and in their order among
    equals."""
    scores = np.zeros(len(items), np.float32)
    for retriever in retrievers:
        scores = np.maximum(scores, retriever.for_page(page_items).at(items))
    return np.argsort(-scores, kind="stable")


def fill_up(
    selected: Selected, *, fallback: ScoredItems, allowed: NDArray[np.bool_], length: int
) -> Selected:
    """Add the best of `fallback` that `allowed` (N,) marks and that are not there yet, up to `length`."""
    missing = length - len(selected.items)
    if missing <= 0:
        return selected
    free = allowed.copy()
    free[selected.items] = False
    filling = fallback.best(missing, allowed=free)
    lowest = selected.scores.min(initial=0.0)
    return Selected(
        items=np.concatenate([selected.items, filling]),
        scores=np.concatenate([selected.scores, np.full(len(filling), lowest, np.float32)]),
        num_ranked=selected.num_ranked,
    )
