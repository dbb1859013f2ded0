"""The first pass: which of all that the retrievers propose the ranker reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.core.compiled import compiled
from features.histories import IntArray

RANK_OFFSET: Final = 20
"""Added to every rank: what one retriever puts first outweighs what two others put in the middle."""


def first_pass(proposed: Sequence[IntArray], *, limit: int) -> IntArray:
    """The distinct items of several lists, each best first, ascending; of more than `limit` those that stand
    highest in the lists together.

    Source: reciprocal rank fusion (Cormack, Clarke & Buettcher, SIGIR 2009), with 20 for its 60.
    """
    lengths = np.array([len(one) for one in proposed], np.int64)
    items = np.concatenate([np.empty(0, np.int32), *proposed]).astype(np.int32, copy=False)
    return _fused(items, lengths, limit)


@compiled
def _fused(items: NDArray[np.int32], lengths: NDArray[np.int64], limit: int) -> NDArray[np.int32]:
    weights = np.empty(len(items), np.float32)
    at = 0
    for length in lengths:
        for rank in range(length):
            weights[at + rank] = np.float32(1.0) / np.float32(RANK_OFFSET + rank)
        at += length
    order = np.argsort(items, kind="mergesort")
    found = np.empty(len(items), np.int32)
    total = np.zeros(len(items), np.float32)
    count = 0
    for place in order:
        if count == 0 or found[count - 1] != items[place]:
            found[count] = items[place]
            count += 1
        total[count - 1] += weights[place]
    if count <= limit:
        return found[:count].copy()
    best = np.argsort(-total[:count], kind="mergesort")[:limit]
    return np.sort(found[best])
