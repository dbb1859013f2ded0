from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from features.core.columns import MICROSECONDS_PER_DAY
from features.histories import History
from features.profiles.item_statistics import ITEM_STATISTICS, NUM_WINDOWS, PRIOR, item_statistics

AS_OF = 100 * MICROSECONDS_PER_DAY
ROWS = [  # person, days ago, item, price
    (0, 1, 0, 2.0),
    (0, 12, 0, 4.0),
    (0, 25, 0, 4.0),
    (1, 3, 0, 2.0),
    (1, 8, 1, 1.0),
    (1, 15, 1, 1.0),
    (2, 14, 1, np.nan),
    (2, 30, 2, 5.0),
]
CATEGORIES = np.array([0, 0, 1, -1], np.int32)
PARENTS = np.array([0, 0, 0, -1], np.int32)


def numbers(*, days: float | None = 10.0) -> dict[str, NDArray[np.float32]]:
    rows = sorted(ROWS, key=lambda row: (row[0], -row[1]))
    events = History(
        items=np.array([item for _, _, item, _ in rows], np.int32),
        event_types=np.zeros(len(rows), np.int8),
        times=np.array([AS_OF - ago * MICROSECONDS_PER_DAY for _, ago, _, _ in rows], np.int64),
        baskets=np.arange(len(rows)),
        prices=np.array([price for *_, price in rows], np.float32),
    )
    users = np.array([person for person, *_ in rows], np.int32)
    weights = np.ones(len(rows), np.float32)
    found = item_statistics(
        users, events, weights=weights, categories=CATEGORIES, parents=PARENTS, as_of=AS_OF, days=days
    )
    return dict(zip(ITEM_STATISTICS, found.T, strict=True))


def test_what_sold_in_each_stretch_by_item_category_and_parent() -> None:
    found = np.expm1(np.stack([numbers()[name] for name in ITEM_STATISTICS[:5]]))
    np.testing.assert_allclose(found[:, 0], [1, 1, 2, 3, 4], atol=1e-5)  # within 1.25, 2.5, 5, 20 and 40 days
    assert np.expm1(numbers()["category_popularity"]).tolist() == pytest.approx([3, 3, 0, 0])
    assert numbers()["share_in_category"].tolist() == pytest.approx([2 / 3, 1 / 3, 0, 0])
    assert np.expm1(numbers()["parent_popularity"]).tolist() == pytest.approx([3, 3, 3, 0])


def test_people_who_come_back_and_people_who_are_new() -> None:
    found = numbers()
    assert np.expm1(found["buyers"]).tolist() == pytest.approx([2, 1, 0, 0])
    # item 0: person 0 in each of the last three windows, person 1 new in the last; item 1: two are new, one
    # of them comes back; item 2: one is new
    assert np.expm1(found["first_buyers"]).tolist() == pytest.approx([2, 2, 1, 0], abs=1e-5)
    had, back = np.array([2.0, 2.0, 2.0, 0.0]), np.array([2.0, 1.0, 0.0, 0.0])
    mean = back.sum() / had.sum()
    of_category = (np.array([3.0, 3.0, 0.0, 0.0]) + PRIOR * mean) / (np.array([4.0, 4.0, 2.0, 0.0]) + PRIOR)
    np.testing.assert_allclose(found["category_return_rate"], of_category, rtol=1e-5)
    np.testing.assert_allclose(found["return_rate"], (back + PRIOR * of_category) / (had + PRIOR), rtol=1e-5)


def test_first_buyers_are_those_of_the_last_four_windows_together() -> None:
    """One user a window, six windows: each has the item once, and the first of them comes back at the end."""
    users = np.array([0, 0, 1, 2, 3, 4, 5], np.int32)
    ago = np.array([55, 5, 45, 35, 25, 15, 5])
    events = History(
        items=np.zeros(len(ago), np.int32),
        event_types=np.zeros(len(ago), np.int8),
        times=AS_OF - ago * MICROSECONDS_PER_DAY,
        baskets=np.arange(len(ago)),
        prices=np.ones(len(ago), np.float32),
    )
    found = item_statistics(
        users,
        events,
        weights=np.ones(len(ago), np.float32),
        categories=np.array([-1], np.int32),
        parents=np.array([-1], np.int32),
        as_of=AS_OF,
        days=10.0,
    )
    column = dict(zip(ITEM_STATISTICS, np.expm1(found[0]), strict=True))
    assert column["first_buyers"] == pytest.approx(NUM_WINDOWS)
    assert column["buyers"] == pytest.approx(2), "of the recent window alone, whoever had it before, too"


def test_a_price_below_the_usual_one_is_a_deal() -> None:
    found = numbers()
    assert found["log_price"].tolist() == pytest.approx([math.log(3), 0, math.log(5), 0])
    assert found["deal_window"].tolist() == pytest.approx([math.log(3 / 2), 0, 0, 0])


def test_on_an_ordinal_clock_there_is_no_lately() -> None:
    found = numbers(days=None)
    np.testing.assert_allclose(np.expm1(found["popularity_half"]), [4, 3, 1, 0], rtol=1e-5)
    for name in ("first_buyers", "return_rate", "deal_quarter", "deal_window"):
        assert not found[name].any()
