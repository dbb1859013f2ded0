from __future__ import annotations

import math

import numpy as np
import pytest

from features.columns import KIND, MICROSECONDS_PER_DAY
from features.histories import History
from features.person import Person, describe

MINUTE = 60_000_000
AS_OF = 100 * MICROSECONDS_PER_DAY
CATEGORIES = np.array([5, 5, 7, -1, 7, 9], np.int32)


def person_after(*events: tuple[str, int, float], num_recent: int = 10) -> Person:
    """Describe someone by (event type, item, minutes ago)."""
    events = tuple(sorted(events, key=lambda event: -event[2]))
    history = History(
        items=np.array([item for _, item, _ in events], np.int32),
        kinds=np.array([KIND[kind] for kind, _, _ in events], np.int8),
        times=np.array([AS_OF - round(minutes * MINUTE) for _, _, minutes in events], np.int64),
        baskets=np.array([round(minutes * MINUTE) for _, _, minutes in events], np.int64),
        prices=np.array([math.e ** (item + 1) if item < 3 else np.nan for _, item, _ in events], np.float32),
    )
    return describe(
        history, as_of=AS_OF, targets={"purchase": 1.0}, item_categories=CATEGORIES, half_lives=(30.0,), num_recent=num_recent
    )


def test_recent_items_are_the_latest_distinct_targets_first() -> None:
    person = person_after(("purchase", 1, 500), ("purchase", 2, 400), ("purchase", 1, 300), ("view_item", 4, 200), num_recent=9)
    assert person.recent_items.tolist() == [1, 2]
    latest = person_after(("purchase", 1, 500), ("purchase", 2, 400), ("purchase", 0, 300), num_recent=2)
    assert latest.recent_items.tolist() == [0, 2]


def test_baskets_and_categories_are_of_targets_alone() -> None:
    person = person_after(
        ("purchase", 0, 500), ("purchase", 1, 500), ("purchase", 2, 60), ("purchase", 3, 50), ("view_item", 5, 1)
    )
    assert person.num_baskets == 3
    assert person.categories.tolist() == [5, 7]
    assert person.category_shares.tolist() == [0.5, 0.25]


def test_the_price_band_is_of_known_prices() -> None:
    person = person_after(("purchase", 0, 500), ("purchase", 2, 60), ("purchase", 4, 50))
    assert person.log_price_mean == pytest.approx(2.0)
    assert person.log_price_deviation == pytest.approx(1.0)
    assert math.isnan(person_after(("purchase", 4, 50)).log_price_mean)


def test_the_visit_is_the_last_half_hour_the_latest_first() -> None:
    person = person_after(
        ("view_item", 1, 31), ("view_item", 2, 29), ("select_item", 3, 20), ("view_item", 2, 10), ("purchase", 4, 5)
    )
    assert person.visit_items.tolist() == [2, 3]


@pytest.mark.parametrize(
    ("events", "in_cart"),
    [
        ([("add_to_cart", 1, 60)], [1]),
        ([("add_to_cart", 1, 60), ("remove_from_cart", 1, 50)], []),
        ([("add_to_cart", 1, 60), ("remove_from_cart", 1, 50), ("add_to_cart", 1, 40)], [1]),
        ([("add_to_cart", 1, 60), ("purchase", 1, 50)], []),
        ([("add_to_cart", 1, 60), ("add_to_cart", 2, 55), ("purchase", 1, 50)], [2]),
        ([("add_to_cart", 1, 25 * 60)], []),
        ([("purchase", 1, 60)], []),
        ([("add_to_cart", 1, 60), ("view_item", 1, 50)], [1]),
    ],
)
def test_the_cart(events: list[tuple[str, int, float]], in_cart: list[int]) -> None:
    assert person_after(*events).cart_items.tolist() == in_cart


def test_what_happens_now_or_later_is_not_known_yet() -> None:
    known = [("purchase", 0, 500.0), ("add_to_cart", 1, 10.0)]
    person = person_after(*known, ("purchase", 1, 0.0), ("view_item", 2, -5.0))
    assert person.cart_items.tolist() == [1]
    assert person.visit_items.tolist() == [1]
    assert person.own.items.tolist() == [0]


def test_a_stranger_is_described_by_nothing() -> None:
    person = person_after()
    assert (len(person.own), person.num_baskets, len(person.categories), len(person.recent_items)) == (0, 0, 0, 0)
    assert math.isnan(person.log_price_mean)
