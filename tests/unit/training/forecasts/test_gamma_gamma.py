"""Gamma-Gamma: its equation, and the parameters of customers drawn from known ones."""

from __future__ import annotations

import numpy as np
import pytest

from configs.exceptions import TooLittleDataError
from training.forecasts.gamma_gamma import GammaGamma

CDNOW = GammaGamma(p=6.25, q=3.74, v=15.44, mean=35.08)
"""As published by Fader and Hardie (2013)"""


def test_a_customer_with_few_orders_is_drawn_to_the_mean_of_the_shop() -> None:
    of_shop = CDNOW.p * CDNOW.v / (CDNOW.q - 1)
    found = CDNOW.expected_value(np.array([0.0, 1, 4, 1000]), np.array([0.0, 100, 100, 100]))
    assert found[0] == pytest.approx(of_shop) == pytest.approx(35.22, abs=0.01)
    assert of_shop < found[1] < found[2] < found[3]
    assert found[3] == pytest.approx(100, rel=0.01)
    # by hand: p (v + x m) / (p x + q - 1)
    assert found[1] == pytest.approx(6.25 * 115.44 / 8.99)


def test_the_parameters_of_drawn_customers_are_found_in_any_currency() -> None:
    chance = np.random.default_rng(0)
    orders = chance.integers(1, 12, 20_000).astype(float)
    scale = chance.gamma(CDNOW.q, 1 / CDNOW.v, len(orders))
    values = chance.gamma(CDNOW.p * orders, 1 / (scale * orders))
    found, in_yen = GammaGamma.fit(orders, values), GammaGamma.fit(orders, 150 * values)
    assert (found.p, found.q, found.v) == pytest.approx((CDNOW.p, CDNOW.q, CDNOW.v), rel=0.1)
    assert (in_yen.p, in_yen.q, in_yen.v) == pytest.approx((found.p, found.q, 150 * found.v), rel=1e-3)


def test_what_is_worth_nothing_teaches_nothing() -> None:
    orders, values = np.array([2.0, 3, 5, 1]), np.array([10.0, 30, 0, -4])
    assert GammaGamma.fit(orders, values) == GammaGamma.fit(orders[:2], values[:2])
    with pytest.raises(TooLittleDataError, match="No customer has an order above 0"):
        GammaGamma.fit(orders[2:], values[2:])


def test_where_the_mean_of_the_shop_is_infinite_the_mean_that_was_seen_stands_for_it() -> None:
    assert GammaGamma(2.0, 0.9, 5.0, mean=12.5).expected_value(np.array([0.0]), np.array([0.0]))[0] == 12.5
