"""How unevenly something is spread over items: the share of the first, and the Gini coefficient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Concentration:
    """Of counts of N items."""

    num_items: int
    num_used: int
    """Items with a count above 0"""
    top_1: float
    """Share of all counts that the highest 1 % of the items have (rounded up to whole items)"""
    top_10: float
    """The same of the highest 10 %"""
    gini: float
    """0: all items have the same; near 1: one item has everything (Gini 1912)"""


def concentration(counts: NDArray[np.int64]) -> Concentration | None:
    """Of the counts (N,) of all items, zeros included; None where all are zero."""
    total, num_items = float(counts.sum()), len(counts)
    if total <= 0:
        return None
    ascending = np.sort(counts).astype(np.float64)
    below = np.cumsum(ascending) / total
    return Concentration(
        num_items=num_items,
        num_used=int(np.count_nonzero(counts)),
        top_1=_top(ascending, 0.01, total),
        top_10=_top(ascending, 0.1, total),
        gini=float((num_items + 1 - 2 * below.sum()) / num_items),
    )


def _top(ascending: NDArray[np.float64], share: float, total: float) -> float:
    return float(ascending[-int(np.ceil(share * len(ascending))) :].sum() / total)
