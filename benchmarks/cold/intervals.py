"""Bootstrap intervals over users of whom some have no target in a ranking. Shapes: U users."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.evaluation.ranking_metrics import mean_and_interval

Interval = tuple[float, float, float]
"""Mean or ratio, and its 95 % interval."""


def mean_of(values_U: NDArray[np.float64], *, samples: int, seed: int) -> Interval:
    """The mean over the users that have a number."""
    return mean_and_interval(values_U[~np.isnan(values_U)], samples=samples, seed=seed)


def ratio_of(
    above_U: NDArray[np.float64], below_U: NDArray[np.float64], *, samples: int, seed: int
) -> Interval:
    """The mean of `above` by that of `below`, both over the same drawn users; 0 by 0 is 0. A draw without
    anything below is left out."""
    generator = np.random.default_rng(seed)
    num_users = len(above_U)
    every_U = np.ones(num_users, np.int64)
    if not _mean(below_U, every_U):
        return 0.0, 0.0, 0.0
    drawn = (generator.integers(0, num_users, num_users) for _ in range(samples))
    times_SU = (np.bincount(users, minlength=num_users) for users in drawn)
    means_S = [(_mean(above_U, times_U), _mean(below_U, times_U)) for times_U in times_SU]
    low, high = np.quantile([above / below for above, below in means_S if below], [0.025, 0.975])
    return _mean(above_U, every_U) / _mean(below_U, every_U), float(low), float(high)


def _mean(values_U: NDArray[np.float64], times_U: NDArray[np.int64]) -> float:
    """Of the users that have a number, each as often as it was drawn."""
    has_U = ~np.isnan(values_U)
    return float(values_U[has_U] @ times_U[has_U]) / max(int(times_U[has_U].sum()), 1)
