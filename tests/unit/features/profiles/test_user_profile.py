from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest

from configs.settings.event_types import EventType
from features.core.columns import EVENT_TYPE_CODE, MICROSECONDS_PER_DAY
from features.histories import History
from features.profiles.user_profile import UserProfile, build_user_profile

MINUTE = 60_000_000
AS_OF = 100 * MICROSECONDS_PER_DAY
PURCHASES: Mapping[EventType, float] = {"purchase": 1.0}
CATEGORIES = np.array([5, 5, 7, -1, 7, 9], np.int32)


def person_after(
    *events: tuple[str, int, float], num_recent: int = 10, targets: Mapping[EventType, float] = PURCHASES
) -> UserProfile:
    """Describe someone by (event type, item, minutes ago)."""
    events = tuple(sorted(events, key=lambda event: -event[2]))
    history = History(
        items=np.array([item for _, item, _ in events], np.int32),
        event_types=np.array([EVENT_TYPE_CODE[kind] for kind, _, _ in events], np.int8),
        times=np.array([AS_OF - round(minutes * MINUTE) for _, _, minutes in events], np.int64),
        baskets=np.array([round(minutes * MINUTE) for _, _, minutes in events], np.int64),
        prices=np.array([math.e ** (item + 1) if item < 3 else np.nan for _, item, _ in events], np.float32),
    )
    return build_user_profile(
        history,
        as_of=AS_OF,
        targets=targets,
        item_categories=CATEGORIES,
        item_parents=np.where(CATEGORIES < 0, -1, CATEGORIES // 7).astype(np.int32),
        half_lives=(30.0,),
        recent_days=(0.2,),
        num_recent=num_recent,
        profile_event_types=np.array([EVENT_TYPE_CODE["purchase"]], np.int8),
        has_times=True,
    )


def test_recent_items_are_the_latest_distinct_targets_first() -> None:
    person = person_after(
        ("purchase", 1, 500), ("purchase", 2, 400), ("purchase", 1, 300), ("view_item", 4, 200), num_recent=9
    )
    assert person.recent_items.tolist() == [1, 2]
    latest = person_after(("purchase", 1, 500), ("purchase", 2, 400), ("purchase", 0, 300), num_recent=2)
    assert latest.recent_items.tolist() == [0, 2]


def test_baskets_and_categories_are_of_targets_alone() -> None:
    person = person_after(
        ("purchase", 0, 500),
        ("purchase", 1, 500),
        ("purchase", 2, 60),
        ("purchase", 3, 50),
        ("view_item", 5, 1),
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
        ("view_item", 1, 31),
        ("view_item", 2, 29),
        ("select_item", 3, 20),
        ("view_item", 2, 10),
        ("purchase", 4, 5),
    )
    assert person.session_items.tolist() == [2, 3]


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
    assert person.session_items.tolist() == [1]
    assert person.own.codes.tolist() == [0]


def test_what_was_brought_back_is_no_longer_an_own_item() -> None:
    events = (("purchase", 0, 500.0), ("purchase", 2, 400.0), ("purchase", 0, 300.0), ("purchase", 4, 200.0))
    person = person_after(*events, ("refund", 2, 100.0), ("refund", 0, 50.0))
    assert person.own.codes.tolist() == [0, 4]
    assert person.own.counts.tolist() == [1, 1]
    assert person.own.days_since[0] == pytest.approx(500 / 1440)
    assert person.recent_items.tolist() == [4, 0]
    assert person.num_baskets == 2
    assert person.category_shares.tolist() == [0.5, 0.5]
    assert person.log_price_mean == pytest.approx(1.0)


def test_a_refund_that_comes_now_or_later_has_taken_nothing_back_yet() -> None:
    kept = person_after(("purchase", 1, 500.0), ("refund", 1, 0.0))
    assert kept.own.codes.tolist() == [1]


def test_targets_count_by_weight_and_a_removal_takes_back_what_was_put_in() -> None:
    weights: Mapping[EventType, float] = {"purchase": 1.0, "add_to_cart": 0.25}
    in_cart = (("add_to_cart", 0, 500.0), ("purchase", 0, 400.0), ("add_to_cart", 2, 300.0))
    person = person_after(*in_cart, targets=weights)
    assert person.own.codes.tolist() == [0, 2]
    assert person.own.counts.tolist() == [1.25, 0.25]
    assert person.own.num_events.tolist() == [2, 1]
    assert person.category_shares.tolist() == pytest.approx([1.25 / 1.5, 0.25 / 1.5])
    removed = person_after(*in_cart, ("remove_from_cart", 2, 200.0), targets=weights)
    assert removed.own.codes.tolist() == [0]
    assert removed.own.counts.tolist() == [1.25]


def test_a_stranger_is_described_by_nothing() -> None:
    person = person_after()
    assert (len(person.own), person.num_baskets, len(person.categories), len(person.recent_items)) == (
        0,
        0,
        0,
        0,
    )
    assert math.isnan(person.log_price_mean)
