"""Bands of users by history length and of items by popularity, to show where a pipeline is strong or weak.

Shapes: U users, N items.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

POPULARITY_BANDS = ("head", "middle", "tail", "never sold before")
"""Bands of items by their number of target events before the split point, best sellers first. Each of the
first three bands holds a third of these events. An item of the last band had none: only a model that knows
items by their content features (an item tower) can recommend it."""


@dataclass(frozen=True)
class Bands:
    """The bands of users that `history_bands` found."""

    names: tuple[str, ...]
    of: NDArray[np.int8]
    """(U,) index into `names`"""


def item_bands(popularity: NDArray[np.floating[Any]]) -> NDArray[np.int8]:
    """Items (N,) by their number of target events before the split point (N,): indices into
    `POPULARITY_BANDS`."""
    order = np.argsort(-popularity, kind="stable")
    sold = popularity[order].astype(np.float64)
    share_before = (np.cumsum(sold) - sold) / max(sold.sum(), 1.0)
    bands = np.empty(len(popularity), np.int8)
    bands[order] = np.minimum(share_before * 3, 2).astype(np.int8)
    bands[popularity <= 0] = len(POPULARITY_BANDS) - 1
    return bands


def history_bands(lengths: NDArray[np.int64]) -> Bands:
    """Bands of users by their number of target events before the split point (U,): users without any, and the
    quartiles of the others.

    Quartiles that coincide are merged, so there may be fewer than four.
    """
    some = lengths[lengths > 0]
    edges = (
        np.unique(np.quantile(some, (0.25, 0.5, 0.75, 1.0), method="inverted_cdf"))
        if len(some)
        else np.empty(0, np.int64)
    )
    lows = [int(some.min()), *(int(edge) + 1 for edge in edges[:-1])] if len(some) else []
    names = [
        str(low) if low == high else f"{low:,} to {int(high):,}"
        for low, high in zip(lows, edges, strict=True)
    ]
    of = np.searchsorted(edges, lengths).astype(np.int8)
    if (lengths == 0).any():
        return Bands(("none", *names), np.where(lengths == 0, 0, of + 1).astype(np.int8))
    return Bands(tuple(names), of)
