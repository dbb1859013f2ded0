"""BG/NBD: how often a customer buys while they are one, and whether they still are.

While alive, a customer buys at a rate of their own; the rates are gamma distributed. After each purchase they
leave for good with a probability of their own; these are beta distributed. Source: Fader, Hardie and Lee
(2005), "Counting Your Customers" the Easy Way, Marketing Science 24(2). With `leaves_at_first` they may leave
after their first order, too: MBG/NBD, Batislam, Denizel and Filiztekin (2007), International Journal of
Research in Marketing 24(3). Without it everybody who has bought once is alive.

Legend: U customers. Times are in one unit, such as days.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import betaln, gammaln, hyp2f1, psi

from configs.exceptions import TooLittleDataError

MAX_CUSTOMERS: Final = 100_000
"""A fit uses so many at most, drawn with a fixed seed: four numbers are learnt."""

_BOUNDS: Final = ((-7.0, 7.0), (-9.0, 9.0), (-7.0, 7.0), (-7.0, 9.0))
"""Of the logarithms of r, alpha (in mean ages), a and b: a shop where nobody leaves has no finite optimum."""
_NEAR_ONE: Final = 1e-5
"""The expectation has a removable singularity where a is 1."""


@dataclass(frozen=True)
class PurchaseHistories:
    """What the model needs of every customer."""

    repeats: NDArray[np.float64]
    """(U,) orders after the first one"""
    recency: NDArray[np.float64]
    """(U,) time from the first order to the last; 0 for somebody with one"""
    age: NDArray[np.float64]
    """(U,) time from the first order until now"""

    def __len__(self) -> int:
        return len(self.repeats)

    def take(self, which: NDArray[np.intp]) -> PurchaseHistories:
        """Some of the customers."""
        return PurchaseHistories(self.repeats[which], self.recency[which], self.age[which])


@dataclass(frozen=True)
class BGNBD:
    """A fitted model."""

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float
    """Of the customers that it was fitted on"""
    leaves_at_first: bool = False

    @classmethod
    def fit(cls, histories: PurchaseHistories, *, leaves_at_first: bool = False) -> Self:
        """The parameters of the greatest likelihood. Deterministic.

        Raises TooLittleDataError where nobody has bought twice, or all orders are of one moment.
        """
        if not (histories.repeats > 0).any() or not (histories.age > 0).any():
            raise TooLittleDataError(
                f"None of {len(histories):,} customers has bought twice, so nothing says how often they come "
                "back. Wait for repeat orders, or prepare more of the past."
            )
        if len(histories) > MAX_CUSTOMERS:
            drawn = np.random.default_rng(0).choice(len(histories), MAX_CUSTOMERS, replace=False)
            histories = histories.take(np.sort(drawn))
        unit = float(histories.age.mean())
        scaled = PurchaseHistories(histories.repeats, histories.recency / unit, histories.age / unit)
        tosses = _tosses(histories.repeats, leaves_at_first)

        def loss(logs: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            value, slope = _log_likelihood(np.exp(logs), scaled, tosses)
            return -value / len(histories), -slope * np.exp(logs) / len(histories)

        found = minimize(loss, np.zeros(4), jac=True, method="L-BFGS-B", bounds=_BOUNDS, tol=1e-10)
        r, alpha, a, b = np.exp(found.x).tolist()
        value, _ = _log_likelihood(np.array([r, alpha * unit, a, b]), histories, tosses)
        return cls(r, alpha * unit, a, b, log_likelihood=value, leaves_at_first=leaves_at_first)

    def alive_probability(self, histories: PurchaseHistories) -> NDArray[np.float64]:
        """(U,) the probability that they have not left for good."""
        tosses = _tosses(histories.repeats, self.leaves_at_first)
        alive, left = _log_paths(self.r, self.alpha, self.a, self.b, histories, tosses)
        found: NDArray[np.float64] = np.exp(alive - np.logaddexp(alive, left))
        return found

    def purchase_probability(self, histories: PurchaseHistories, *, within: float) -> NDArray[np.float64]:
        """(U,) the probability of an order within so much time: alive, and the next one comes by then."""
        shape, scale = self.r + histories.repeats, self.alpha + histories.age
        comes = -np.expm1(-shape * np.log1p(within / scale))
        return self.alive_probability(histories) * comes

    def expected_orders(self, histories: PurchaseHistories, *, within: float) -> NDArray[np.float64]:
        """(U,) expected number of orders within so much time: equation 10 of Fader, Hardie and Lee (2005).

        The hypergeometric function is transformed after Euler: of the paper's, the first parameter grows with
        the number of orders, and overflows.
        """
        a = self.a if abs(self.a - 1) > _NEAR_ONE else 1 + _NEAR_ONE
        total = a + self.b + _tosses(histories.repeats, self.leaves_at_first) - 1
        scale = self.alpha + histories.age
        share = within / (scale + within)
        power = hyp2f1(total - self.r - histories.repeats, a - 1, total, share)
        none = np.exp((a - 1) * np.log1p(-share)) * power
        expected: NDArray[np.float64] = total / (a - 1) * (1 - none) * self.alive_probability(histories)
        return np.maximum(expected, 0.0)


def _tosses(repeats: NDArray[np.float64], leaves_at_first: bool) -> NDArray[np.float64]:
    """(U,) how often each could have left so far."""
    return repeats + 1 if leaves_at_first else repeats


def _log_paths(
    r: float,
    alpha: float,
    a: float,
    b: float,
    histories: PurchaseHistories,
    tosses: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """((U,), (U,)): the logarithms of the likelihood of somebody who is alive, and of somebody who left after
    their last order, but for a factor that both share."""
    alive = -(r + histories.repeats) * np.log(alpha + histories.age)
    could = tosses > 0
    odds = np.log(a) - np.log(b + np.where(could, tosses, 1.0) - 1)
    left = np.where(could, odds - (r + histories.repeats) * np.log(alpha + histories.recency), -np.inf)
    return alive, left


def _log_likelihood(
    parameters: NDArray[np.float64], histories: PurchaseHistories, tosses: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """The log-likelihood, and its slope in (r, alpha, a, b)."""
    r, alpha, a, b = parameters.tolist()
    repeats = histories.repeats
    alive, left = _log_paths(r, alpha, a, b, histories, tosses)
    both = np.logaddexp(alive, left)
    shared = gammaln(r + repeats) - gammaln(r) + r * np.log(alpha) + betaln(a, b + tosses) - betaln(a, b)
    p_alive, p_left = np.exp(alive - both), np.exp(left - both)
    until, last = alpha + histories.age, alpha + histories.recency
    slope_r = psi(r + repeats) - psi(r) + np.log(alpha) - p_alive * np.log(until) - p_left * np.log(last)
    slope_alpha = r / alpha - (r + repeats) * (p_alive / until + p_left / last)
    stays = psi(a + b) - psi(a + b + tosses)
    slope_a = stays + p_left / a
    slope_b = psi(b + tosses) - psi(b) + stays - p_left / np.where(tosses > 0, b + tosses - 1, 1.0)
    slopes = np.array([one.sum() for one in (slope_r, slope_alpha, slope_a, slope_b)])
    return float((shared + both).sum()), slopes
