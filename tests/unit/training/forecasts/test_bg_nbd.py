"""BG/NBD against what was published of it, against integrals, and on buyers drawn from known parameters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import beta as beta_distribution

from configs.exceptions import TooLittleDataError
from training.forecasts.bg_nbd import BGNBD, PurchaseHistories

CDNOW = BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426, log_likelihood=-9582.4)
"""As published by Fader, Hardie and Lee (2005); weeks"""


def histories(*rows: tuple[float, float, float]) -> PurchaseHistories:
    repeats, recency, age = np.array(rows, float).T
    return PurchaseHistories(repeats, recency, age)


def drawn(model: BGNBD, *, customers: int, seed: int) -> tuple[PurchaseHistories, np.ndarray, np.ndarray]:
    """Customers who behave as the model says: their histories, whether they are alive, and how often they buy
    in the 30 days after."""
    chance = np.random.default_rng(seed)
    rates = chance.gamma(model.r, 1 / model.alpha, customers)
    leave = chance.beta(model.a, model.b, customers)
    ages = chance.uniform(100, 400, customers)
    rows, alive, later = [], [], []
    for rate, leaves, age in zip(rates, leave, ages, strict=True):
        time, last, repeats, after = 0.0, 0.0, 0, 0
        here = not (model.leaves_at_first and chance.random() < leaves)
        while here and time < age + 30:
            time += chance.exponential(1 / max(rate, 1e-12))
            if time < age:
                repeats, last = repeats + 1, time
                here = chance.random() >= leaves
                is_alive = here
            elif time < age + 30:
                after += 1
                here = chance.random() >= leaves
        rows.append((repeats, last, age))
        alive.append(is_alive if repeats else here or not model.leaves_at_first or after > 0)
        later.append(after)
    return histories(*rows), np.array(alive), np.array(later)


def test_the_papers_customer_is_expected_to_buy_1_226_times_in_39_weeks() -> None:
    paper = histories((2, 30.43, 38.86))
    assert CDNOW.expected_orders(paper, within=39)[0] == pytest.approx(1.226, abs=5e-4)
    assert CDNOW.alive_probability(paper)[0] == pytest.approx(0.7266, abs=5e-4)


def test_a_stranger_to_the_model_who_bought_once_is_alive_unless_they_may_leave_at_first() -> None:
    once = histories((0, 0, 38.86))
    assert CDNOW.alive_probability(once)[0] == 1
    assert 0 < replace(CDNOW, leaves_at_first=True).alive_probability(once)[0] < 0.9


@pytest.mark.parametrize("leaves_at_first", [False, True])
@pytest.mark.parametrize(("repeats", "recency", "age"), [(0, 0, 0.5), (1, 3, 20), (7, 30, 31), (400, 90, 91)])
def test_expected_orders_are_the_integral_over_what_a_customer_may_be(
    repeats: float, recency: float, age: float, leaves_at_first: bool
) -> None:
    model = replace(CDNOW, leaves_at_first=leaves_at_first)
    customer = histories((repeats, recency, age))
    tosses, shape, scale = repeats + leaves_at_first, model.r + repeats, model.alpha + age

    def orders(leaves: float) -> float:
        expected = -np.expm1(-shape * np.log1p(leaves * 39 / scale)) / leaves
        return float(expected * beta_distribution.pdf(leaves, model.a, model.b + tosses))

    of_alive, _ = quad(orders, 0, 1, limit=200)
    found = model.expected_orders(customer, within=39)[0]
    assert found == pytest.approx(of_alive * model.alive_probability(customer)[0], rel=1e-6)


def test_where_a_is_one_the_expectation_has_no_hole() -> None:
    customer = histories((3, 20, 30))
    found = [replace(CDNOW, a=a).expected_orders(customer, within=39)[0] for a in (0.999, 1.0, 1.001)]
    assert found[0] > found[1] > found[2]
    assert found[1] == pytest.approx((found[0] + found[2]) / 2, rel=1e-5)


@pytest.mark.parametrize("leaves_at_first", [False, True])
def test_the_parameters_of_drawn_customers_are_found_and_so_is_what_they_do(leaves_at_first: bool) -> None:
    truth = BGNBD(0.8, 20.0, 0.7, 3.0, 0.0, leaves_at_first=leaves_at_first)
    seen, alive, later = drawn(truth, customers=12_000, seed=1)
    found = BGNBD.fit(seen, leaves_at_first=leaves_at_first)
    assert (found.r, found.alpha) == pytest.approx((truth.r, truth.alpha), rel=0.1)
    assert found.a / (found.a + found.b) == pytest.approx(truth.a / (truth.a + truth.b), rel=0.1)
    assert found.alive_probability(seen).mean() == pytest.approx(alive.mean(), abs=0.02)
    assert found.purchase_probability(seen, within=30).mean() == pytest.approx((later > 0).mean(), abs=0.01)
    assert found.expected_orders(seen, within=30).mean() == pytest.approx(later.mean(), rel=0.05)


def test_the_unit_of_time_changes_nothing() -> None:
    seen, _, _ = drawn(replace(CDNOW, alpha=30.0), customers=2000, seed=2)
    in_hours = PurchaseHistories(seen.repeats, seen.recency * 24, seen.age * 24)
    days, hours = BGNBD.fit(seen), BGNBD.fit(in_hours)
    assert hours.alpha == pytest.approx(24 * days.alpha, rel=1e-3)
    assert hours.expected_orders(in_hours, within=720) == pytest.approx(
        days.expected_orders(seen, within=30), rel=1e-3
    )


def test_a_shop_that_nobody_leaves_and_one_where_all_are_alike_can_be_fitted() -> None:
    weekly = PurchaseHistories(np.full(50, 52.0), np.full(50, 364.0), np.full(50, 365.0))
    found = BGNBD.fit(weekly)
    assert found.alive_probability(weekly).min() > 0.99
    assert found.expected_orders(weekly, within=70) == pytest.approx(10.0, rel=0.05)


def test_without_a_second_order_it_says_so() -> None:
    with pytest.raises(TooLittleDataError, match="None of 2 customers has bought twice"):
        BGNBD.fit(histories((0, 0, 10), (0, 0, 20)))


def test_nobody_is_expected_to_do_nothing() -> None:
    nobody = PurchaseHistories(np.empty(0), np.empty(0), np.empty(0))
    assert CDNOW.expected_orders(nobody, within=30).shape == (0,)
