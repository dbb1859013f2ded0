"""What a row of a page brings: the expected value of its first items. Shapes: C items, K outcomes."""

from __future__ import annotations

from typing import Final

import numpy as np

from features.histories import IntArray
from serving.recommend.candidates import KnownUser
from serving.recommend.pipeline import Pipeline
from serving.recommend.request import Query

NUM_SEEN: Final = 5
"""Items of a row that stand on the screen: what comes after them does not make a row worth more."""


def row_value(pipeline: Pipeline, query: Query, items: IntArray, *, known: KnownUser) -> float | None:
    """The summed value of the first items (C,) of a row, each times the chance that it is seen, which falls
    with its place as in NDCG: 1 / log2(place + 1).

    None for somebody of whom nothing is known, and where the ranker tells no outcome.
    """
    value = pipeline.page_value
    if value is None or query.is_stranger:
        return None
    first = items[:NUM_SEEN]
    if not len(first):
        return 0.0
    values = value.combined(pipeline.outputs(query, first, known=known), first)
    return float(values @ (1 / np.log2(np.arange(len(first)) + 2.0)))
