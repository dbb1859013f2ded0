"""By how much forecasts are better than others, with the interval of a bootstrap over customers.

Legend: U customers, S samples. A sample is how often each customer was drawn (S, U): every figure is a sum
with these as weights, so nothing is sorted twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.forecasts.forecast_metrics import NUM_TENTHS, metrics
from training.forecasts.outcomes import Floats, Forecasts

AT_ONCE: Final = 2_000_000
"""Numbers of samples and customers that are held at a time."""


def intervals(
    said: Mapping[str, Forecasts], came: Forecasts, *, of: str, samples: int, seed: int
) -> dict[str, dict[str, tuple[float, float, float]]]:
    """System → metric → how much `of` is above the system: (difference, low, high), the 95 % interval over
    the same customers for both."""
    drawn = {
        system: [_figures(one, came, weights) for weights in _samples(len(came.purchase), samples, seed)]
        for system, one in said.items()
    }
    whole = {system: metrics(one, came) for system, one in said.items()}
    found: dict[str, dict[str, tuple[float, float, float]]] = {}
    for system in said:
        found[system] = {}
        for name in drawn[system][0]:
            best, other = (np.concatenate([part[name] for part in drawn[one]]) for one in (of, system))
            found[system][name] = (whole[of][name] - whole[system][name], *_middle(best - other))
    return found


def _samples(customers: int, samples: int, seed: int) -> Iterator[Floats]:
    """(S, U) how often each customer is in each sample, some samples at a time; by the seed alone."""
    generator, size = np.random.default_rng(seed), max(AT_ONCE // max(customers, 1), 1)
    for start in range(0, samples, size):
        drawn = (generator.integers(0, customers, customers) for _ in range(min(size, samples - start)))
        yield np.stack([np.bincount(one, minlength=customers) for one in drawn]).astype(np.float64)


def _figures(said: Forecasts, came: Forecasts, weights_SU: Floats) -> dict[str, Floats]:
    """Metric → (S,), as `forecast_metrics.metrics` defines them."""
    customers = len(came.purchase)
    order = np.argsort(-said.purchase, kind="stable")
    found = {
        "auc": _auc(said.purchase[order], came.purchase[order], weights_SU[:, order]),
        "brier": weights_SU @ (said.purchase - came.purchase) ** 2 / customers,
        "lift": _lift(came.purchase[order], weights_SU[:, order]),
        "orders_error": weights_SU @ np.abs(said.orders - came.orders) / customers,
    }
    if said.spend is not None and came.spend is not None:
        found["spend_error"] = weights_SU @ np.abs(said.spend - came.spend) / customers
    return found


def _auc(scores: Floats, bought: Floats, weights_SU: Floats) -> Floats:
    """(S,) of customers with the highest score first; NaN in a sample where all ordered, or nobody."""
    starts = np.flatnonzero(np.diff(scores, prepend=np.inf))
    positives_SG = np.add.reduceat(weights_SU * bought, starts, axis=1)
    negatives_SG = np.add.reduceat(weights_SU * (1 - bought), starts, axis=1)
    positives_S, negatives_S = positives_SG.sum(axis=1), negatives_SG.sum(axis=1)
    below_SG = negatives_S[:, None] - np.cumsum(negatives_SG, axis=1) + negatives_SG / 2
    pairs_S = positives_S * negatives_S
    won_S = (positives_SG * below_SG).sum(axis=1)
    return np.where(pairs_S > 0, won_S / np.maximum(pairs_S, 1), np.nan)


def _lift(bought: Floats, weights_SU: Floats) -> Floats:
    """(S,) of customers with the highest score first; NaN in a sample where nobody ordered."""
    first = weights_SU.shape[1] / NUM_TENTHS
    before_SU = np.cumsum(weights_SU, axis=1) - weights_SU
    in_first_SU = np.clip(first - before_SU, 0, weights_SU)
    share_S = weights_SU @ bought / weights_SU.shape[1]
    return np.where(share_S > 0, in_first_SU @ bought / first / np.where(share_S > 0, share_S, 1), np.nan)


def _middle(values: NDArray[np.float64]) -> tuple[float, float]:
    """Between what 95 % lie; a sample without a figure is left out."""
    values = values[np.isfinite(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
