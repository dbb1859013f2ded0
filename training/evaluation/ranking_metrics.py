"""Ranking metrics of one user's list, and intervals over users. Full catalogue, never sampled.

Definitions: recall = hits / relevant; capped recall = hits / min(k, relevant); NDCG and MRR at k with binary
relevance.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

METRICS = ("recall", "capped_recall", "ndcg", "mrr")


def user_metrics(
    ranked: NDArray[np.int32], relevant: NDArray[np.int32], *, cutoffs: Sequence[int]
) -> dict[str, float]:
    """Every metric at every cutoff for one list of distinct items, best first: `{"ndcg_10": …}`.

    `relevant` are distinct and at least one. A list shorter than a cutoff just has nothing in the missing
    places.
    """
    wanted = set(relevant.tolist())
    places = [place for place, item in enumerate(ranked[: max(cutoffs)].tolist()) if item in wanted]
    discounts, ideal = _discounts(max(cutoffs))
    gains = discounts[places]
    values = {}
    for k in cutoffs:
        num_hits = bisect_left(places, k)
        values[f"recall_{k}"] = num_hits / len(relevant)
        values[f"capped_recall_{k}"] = num_hits / min(k, len(relevant))
        values[f"ndcg_{k}"] = float(gains[:num_hits].sum() / ideal[min(k, len(relevant)) - 1])
        values[f"mrr_{k}"] = 1.0 / (places[0] + 1.0) if num_hits else 0.0
    return values


@cache
def _discounts(depth: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What a hit at each of the first places counts in NDCG, and the sum of the first so many."""
    discounts = 1.0 / np.log2(np.arange(depth) + 2.0)
    return discounts, np.cumsum(discounts)


def coverage(lists: Sequence[NDArray[np.int32]], *, k: int, num_items: int) -> float:
    """The share of `num_items`, those that may be shown, that stands in anybody's first k places."""
    shown = np.unique(np.concatenate([ranked[:k] for ranked in lists])) if lists else np.empty(0)
    return len(shown) / num_items


def mean_and_interval(
    values: NDArray[np.float64], *, samples: int, seed: int, confidence: float = 0.95
) -> tuple[float, float, float]:
    """The mean over users with its bootstrap interval (percentiles over resampled users): (mean, low,
    high)."""
    ((mean, low, high),) = means_and_intervals(
        values[:, None], samples=samples, seed=seed, confidence=confidence
    )
    return mean, low, high


def difference_interval(
    left: NDArray[np.float64],
    right: NDArray[np.float64],
    *,
    samples: int,
    seed: int,
    confidence: float = 0.95,
) -> tuple[float, float, float]:
    """The mean of left - right over the same users, with its paired bootstrap interval."""
    return mean_and_interval(left - right, samples=samples, seed=seed, confidence=confidence)


def summarise(
    rows: Sequence[Mapping[str, float]], *, samples: int, seed: int
) -> dict[str, tuple[float, float, float]]:
    """Metric → (mean, low, high) over users' rows."""
    if not rows:
        return {}
    values_UM = np.array([list(row.values()) for row in rows])
    return dict(zip(rows[0], means_and_intervals(values_UM, samples=samples, seed=seed), strict=True))


def means_and_intervals(
    values_UM: NDArray[np.float64], *, samples: int, seed: int, confidence: float = 0.95
) -> list[tuple[float, float, float]]:
    """`mean_and_interval` of each column, all on the same resampled users. Shapes: U users, M metrics."""
    num_users, num_metrics = values_UM.shape
    if not num_users:
        return [(float("nan"), float("nan"), float("nan"))] * num_metrics
    generator = np.random.default_rng(seed)
    drawn = (generator.integers(0, num_users, num_users) for _ in range(samples))
    # how often each user was drawn, times the users' numbers, is the sum over the drawn
    means_SM = np.stack([np.bincount(users, minlength=num_users) @ values_UM for users in drawn]) / num_users
    outside = (1 - confidence) / 2
    low_M, high_M = np.quantile(means_SM, [outside, 1 - outside], axis=0)
    return list(zip(values_UM.mean(axis=0).tolist(), low_M.tolist(), high_M.tolist(), strict=True))
