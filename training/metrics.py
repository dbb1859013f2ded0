"""Ranking metrics of one user's list, and intervals over users. Full catalogue, never sampled.

Definitions: recall = hits / relevant; capped recall = hits / min(k, relevant); NDCG and MRR at k with binary relevance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

METRICS = ("recall", "capped_recall", "ndcg", "mrr")


def user_metrics(ranked: NDArray[np.int32], relevant: NDArray[np.int32], *, cutoffs: Sequence[int]) -> dict[str, float]:
    """Every metric at every cutoff for one list of distinct items, best first: `{"ndcg_10": …}`.

    `relevant` are distinct and at least one. A list shorter than a cutoff just has nothing in the missing places.
    """
    hits = np.isin(ranked[: max(cutoffs)], relevant)
    places = np.flatnonzero(hits)
    gains = 1.0 / np.log2(places + 2.0)
    ideal = np.cumsum(1.0 / np.log2(np.arange(max(cutoffs)) + 2.0))
    values = {}
    for k in cutoffs:
        num_hits = int(np.searchsorted(places, k))
        values[f"recall_{k}"] = num_hits / len(relevant)
        values[f"capped_recall_{k}"] = num_hits / min(k, len(relevant))
        values[f"ndcg_{k}"] = float(gains[:num_hits].sum() / ideal[min(k, len(relevant)) - 1])
        values[f"mrr_{k}"] = 1.0 / (places[0] + 1.0) if num_hits else 0.0
    return values


def coverage(lists: Sequence[NDArray[np.int32]], *, k: int, num_items: int) -> float:
    """The share of the catalogue that stands in anybody's first k places."""
    shown = np.unique(np.concatenate([ranked[:k] for ranked in lists])) if lists else np.empty(0)
    return len(shown) / num_items


def mean_and_interval(values: NDArray[np.float64], *, samples: int, seed: int) -> tuple[float, float, float]:
    """The mean over users with its 95 % bootstrap interval (percentiles over resampled users): (mean, low, high)."""
    if len(values) == 0:
        return float("nan"), float("nan"), float("nan")
    generator = np.random.default_rng(seed)
    means = np.array([values[generator.integers(0, len(values), len(values))].mean() for _ in range(samples)])
    low, high = np.percentile(means, [2.5, 97.5])
    return float(values.mean()), float(low), float(high)


def difference_interval(
    left: NDArray[np.float64], right: NDArray[np.float64], *, samples: int, seed: int
) -> tuple[float, float, float]:
    """The mean of left - right over the same users, with its paired 95 % bootstrap interval."""
    return mean_and_interval(left - right, samples=samples, seed=seed)


def summarise(rows: Sequence[Mapping[str, float]], *, samples: int, seed: int) -> dict[str, tuple[float, float, float]]:
    """Metric → (mean, low, high) over users' rows."""
    names = rows[0].keys() if rows else ()
    return {name: mean_and_interval(np.array([row[name] for row in rows]), samples=samples, seed=seed) for name in names}
