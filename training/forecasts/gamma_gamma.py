"""Gamma-Gamma: what an order of a customer is worth.

The values of a customer's orders vary around a mean of their own by a gamma distribution, whose scale is
gamma distributed over customers. A customer with few orders is drawn to the mean of the shop. Source: Fader
and Hardie (2013), The Gamma-Gamma Model of Monetary Value; Fader, Hardie and Lee (2005), RFM and CLV, Journal
of Marketing Research 42(4). Legend: U customers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import gammaln, psi

from configs.exceptions import TooLittleDataError
from training.forecasts.bg_nbd import MAX_CUSTOMERS

_BOUNDS: Final = ((-5.0, 9.0), (-5.0, 9.0), (-9.0, 12.0))
"""Of the logarithms of p, q and v (in mean values)."""


@dataclass(frozen=True)
class GammaGamma:
    """A fitted model."""

    p: float
    q: float
    v: float
    """The papers' gamma"""
    mean: float
    """The mean value over the customers that it was fitted on: what is expected where q is 1 or less"""

    @classmethod
    def fit(cls, orders: NDArray[np.float64], mean_values: NDArray[np.float64]) -> Self:
        """The parameters of the greatest likelihood, from how many orders each customer has (U,) and what
        these are worth on average (U,). Customers whose mean is not above 0 are left out.

        Raises TooLittleDataError where nobody is left.
        """
        which = np.flatnonzero((orders > 0) & (mean_values > 0))
        if not len(which):
            raise TooLittleDataError(
                "No customer has an order above 0, so nothing says what orders are worth."
            )
        if len(which) > MAX_CUSTOMERS:
            which = np.sort(np.random.default_rng(0).choice(which, MAX_CUSTOMERS, replace=False))
        counts, values = orders[which], mean_values[which]
        unit = float(values.mean())

        def loss(logs: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            value, slope = _log_likelihood(np.exp(logs), counts, values / unit)
            return -value / len(which), -slope * np.exp(logs) / len(which)

        found = minimize(
            loss, np.array([1.0, 1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=_BOUNDS, tol=1e-10
        )
        p, q, v = np.exp(found.x).tolist()
        return cls(p, q, v * unit, mean=unit)

    def expected_value(
        self, orders: NDArray[np.float64], mean_values: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(U,) the expected value of each customer's next order: equation 5 of Fader and Hardie (2013)."""
        denominator = self.p * orders + self.q - 1
        known = denominator > 0
        paid = orders * np.maximum(mean_values, 0.0)
        expected = self.p * (self.v + paid) / np.where(known, denominator, 1.0)
        return np.where(known, expected, self.mean)


def _log_likelihood(
    parameters: NDArray[np.float64], orders: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """The log-likelihood, and its slope in (p, q, v)."""
    p, q, v = parameters.tolist()
    shape, total = p * orders, v + orders * values
    terms = (
        gammaln(shape + q)
        - gammaln(shape)
        - gammaln(q)
        + q * np.log(v)
        + (shape - 1) * np.log(values)
        + shape * np.log(orders)
        - (shape + q) * np.log(total)
    )
    both = psi(shape + q) - np.log(total)
    slope_p = orders * (both - psi(shape) + np.log(values) + np.log(orders))
    slope_q = both - psi(q) + np.log(v)
    slope_v = q / v - (shape + q) / total
    return float(terms.sum()), np.array([slope_p.sum(), slope_q.sum(), slope_v.sum()])
