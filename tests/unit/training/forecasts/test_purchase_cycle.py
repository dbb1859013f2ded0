"""Kaplan-Meier against a published example, and the intervals of a shop."""

from __future__ import annotations

import numpy as np
import pytest
from forecast_shop import events_of

from training.forecasts.purchase_cycle import PurchaseCycle, purchase_cycles


def test_the_estimate_of_the_6_mp_trial_is_the_published_one() -> None:
    """Freireich et al. (1963), weeks of remission with 6-mercaptopurine: S(6) = .857, S(10) = .753, median
    23."""
    over = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    still_open = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    weeks = np.array(over + still_open, float)
    is_open = np.array([False] * len(over) + [True] * len(still_open))
    found = {
        days: PurchaseCycle.of(weeks, is_open, name="", customers=21, days=days).within_days
        for days in (6, 10)
    }
    assert found == pytest.approx({6: 1 - 0.857, 10: 1 - 0.753}, abs=5e-4)
    cycle = PurchaseCycle.of(weeks, is_open, name="", customers=21, days=10)
    assert cycle.median_days == 23
    assert cycle.quarter_days == 13
    assert cycle.open_share == pytest.approx(12 / 21)


def test_an_open_interval_counts_as_long_as_it_lasted() -> None:
    """The three that are over took 10 days; six of nine have been open for 40: half is not seen."""
    rows = [(f"u{user}", 60 + 10 * visit, "milk") for user in range(3) for visit in range(2)]
    rows += [(f"late{user}", 60, "milk") for user in range(6)] + [("last", 100, "milk")]
    whole, of_category = purchase_cycles(events_of(rows), days=30)
    assert whole.median_days is None
    assert whole.quarter_days == 10
    assert (whole.customers, whole.orders) == (9, 12)  # the order of the last day has lasted no day yet
    assert of_category.name == "Food > milk"


def test_a_category_has_its_own_cycle_and_the_ten_largest_are_told() -> None:
    rows = [("u", day, "milk") for day in range(0, 100, 7)] + [("u", day, "oil") for day in (0, 50, 99)]
    rows += [(f"v{user}", user % 100, f"rare{user % 20}") for user in range(40)]
    found = {cycle.name: cycle for cycle in purchase_cycles(events_of(rows), days=30)}
    assert len(found) == 11
    rows = [("u", day, "milk") for day in range(0, 100, 7)] + [("u", day, "oil") for day in (0, 50, 99)]
    found = {cycle.name: cycle for cycle in purchase_cycles(events_of(rows), days=30)}
    assert (found["Food > milk"].median_days, found["Food > oil"].median_days) == (7, 49)


def test_a_shop_of_one_day_has_no_cycle() -> None:
    (whole,) = purchase_cycles(events_of([("a", 1, None), ("b", 1, None)]), days=30)
    assert whole.orders == 0
    assert whole.median_days is None
