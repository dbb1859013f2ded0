"""Rates of few cases, drawn towards those of their parent: empirical Bayes with a beta-binomial model.

A child's rate has a Beta(M p, M (1 - p)) prior: p is the rate of its parent, and M says how alike children
are, in cases. M is the one under which all that was seen is most likely. Shapes: K children.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import betaincinv, betaln

Floats = NDArray[np.float64]

WEIGHTS: Final = (1.0, 1e4)
"""Bounds of M: below, children would have nothing in common; above, they are all alike."""


@dataclass(frozen=True)
class Rates:
    """(K,) each."""

    rate: Floats
    """Mean of the posterior"""
    low: Floats
    high: Floats
    """Ends of the interval of equal tails"""
    weight: float
    """M: as many cases as the parent counts for"""


def shrunk(cases: Floats, of: Floats, *, parent: Floats, level: float) -> Rates:
    """The rates of `cases` (K,) among `of` (K,), drawn towards `parent` (K,), which is above 0 and below
    1."""
    weight = _weight(cases, of, parent)
    alpha, beta = cases + weight * parent, of - cases + weight * (1 - parent)
    tail = (1 - level) / 2
    return Rates(
        rate=alpha / (alpha + beta),
        low=np.asarray(betaincinv(alpha, beta, tail)),
        high=np.asarray(betaincinv(alpha, beta, 1 - tail)),
        weight=weight,
    )


def whole_rate(cases: float, of: float) -> float:
    """Of everything together: never 0 or 1 (Jeffreys' prior), so that it can be a parent."""
    return (cases + 0.5) / (of + 1.0)


def _weight(cases: Floats, of: Floats, parent: Floats) -> float:
    """M. Where no child has two cases nothing tells children apart, and they count as alike."""
    several = of >= 2
    if several.sum() < 2:
        return WEIGHTS[1]
    found, total, mean = cases[several], of[several], parent[several]

    def unlikely(log_weight: float) -> float:
        alpha, beta = np.exp(log_weight) * mean, np.exp(log_weight) * (1 - mean)
        return float(-(betaln(alpha + found, beta + total - found) - betaln(alpha, beta)).sum())

    bounds = (np.log(WEIGHTS[0]), np.log(WEIGHTS[1]))
    return float(np.exp(minimize_scalar(unlikely, bounds=bounds, method="bounded").x))
