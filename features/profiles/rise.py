"""How much more an item sells now than its own past would give it, steadied for small counts.

    n_i = Σ w · 2^(−age / h)              what it has lately
    e_i = p_i · Σ n / Σ p                 what it would have: p_i is n_i with a half-life of `past_days`
    rise_i = (n_i + a) / (e_i + a)

The factor Σ n / Σ p takes the shop's own growth and season out. The rise is the posterior mean of a Poisson
rate relative to e_i under a Gamma(a, a) prior, whose mean is 1: an item with few events stays near 1.

Source: the Gamma-Poisson shrinker of DuMouchel (The American Statistician 53(3), 1999), with one prior in
place of its mixture of two. Shapes: E events, N items.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

from features.core.columns import MICROSECONDS_PER_DAY
from features.histories import History
from features.interactions import Interactions


@dataclass(frozen=True)
class Rise:
    """Of every item."""

    lately: NDArray[np.float64]
    """(N,) decayed weight of its target events"""
    expected: NDArray[np.float64]
    """(N,) what its own past would give it in the same time"""
    prior: float
    """a: as many expected events speak for no change"""

    @property
    def mean(self) -> NDArray[np.float64]:
        """(N,) 1 for an item that sells as ever, and for one of which nothing is known."""
        found: NDArray[np.float64] = (self.lately + self.prior) / (self.expected + self.prior)
        return found

    def at_least(self, probability: float) -> NDArray[np.float64]:
        """(N,) what the rise is above with this probability, by the posterior Gamma(a + n, a + e)."""
        quantile = gammaincinv(self.lately + self.prior, 1 - probability)
        found: NDArray[np.float64] = quantile / (self.expected + self.prior)
        return found


def rise(interactions: Interactions, *, days: float, past_days: float, prior: float) -> Rise:
    """Of the interactions before their moment; `days` and `past_days` are half-lives."""
    lately = _decayed(interactions, days=days)
    past = _decayed(interactions, days=past_days)
    return Rise(lately, past * (lately.sum() / max(past.sum(), 1e-12)), prior)


def _decayed(interactions: Interactions, *, days: float) -> NDArray[np.float64]:
    """(N,) the weight of each item's events, halved every `days`."""
    events: History = interactions.events
    age = (interactions.as_of - events.times) / (days * MICROSECONDS_PER_DAY)
    weights = interactions.weights * np.exp2(-age)
    found = np.bincount(events.items, weights=weights, minlength=interactions.num_items)
    return found.astype(np.float64)
