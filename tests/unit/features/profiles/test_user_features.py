"""Each user feature on logs small enough to work out by hand, and the lazy pass against the plain reference
on any log."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from features.core.columns import EVENT_TYPE_CODE, MICROSECONDS_PER_DAY
from features.histories import History
from features.profiles.point_in_time import user_features_as_of, user_features_before_events
from features.profiles.user_features import (
    MAX_CATEGORIES,
    USER_NUMBERS,
    UserFeatures,
    profile_event_types,
    user_codes,
    user_features,
)

DAY = MICROSECONDS_PER_DAY
CATEGORIES = np.array([5, 5, 3, -1], np.int32)
"""Items 0 and 1 stand in category 5, 2 in 3, 3 in none."""

Event = tuple[int, str, int, float]
"""day, kind, item, price"""


def history(events: Sequence[Event]) -> History:
    days, event_types, items, prices = zip(*events, strict=True) if events else ((), (), (), ())
    return History(
        items=np.array(items, np.int32),
        event_types=np.array([EVENT_TYPE_CODE[kind] for kind in event_types], np.int8),
        times=np.array(days, np.int64) * DAY,
        baskets=np.arange(len(events)),
        prices=np.array(prices, np.float32),
    )


def features(
    *events: Event, day: int = 10, event_types: tuple[str, ...] = ("purchase",), has_times: bool = True
) -> UserFeatures:
    codes = np.array([EVENT_TYPE_CODE[kind] for kind in event_types], np.int8)
    return user_features(
        history(events),
        as_of=day * DAY,
        profile_event_types=codes,
        item_categories=CATEGORIES,
        has_times=has_times,
    )


def number(name: str, found: UserFeatures) -> float:
    """The number as it was before its logarithm."""
    value = float(found.numbers[USER_NUMBERS.index(name)])
    return value if name == "mean_log_price" else float(np.expm1(value))


def test_all_numbers_of_a_small_history() -> None:
    found = features(
        (2, "purchase", 0, 4.0),
        (3, "view_item", 2, 99.0),
        (7, "purchase", 2, 1.0),
        (8, "purchase", 2, float("nan")),
    )
    expected = {
        "recency_days": 2,
        "frequency": 3,
        "money": 5,
        "tenure_days": 8,
        "mean_log_price": np.log(4.0) / 2,
    }
    assert {name: number(name, found) for name in USER_NUMBERS} == pytest.approx(expected, rel=1e-6)
    assert found.category == 3


def test_what_happens_at_the_moment_itself_is_not_seen() -> None:
    at_the_moment = ((10, "purchase", 0, 4.0), (10, "refund", 0, 4.0))
    np.testing.assert_array_equal(features(*at_the_moment).numbers, np.zeros(5))
    before = (9, "purchase", 2, 1.0)
    np.testing.assert_array_equal(features(before, *at_the_moment).numbers, features(before).numbers)


def test_a_refund_takes_one_event_and_its_price_and_never_more_than_all() -> None:
    bought = ((1, "purchase", 0, 4.0), (2, "purchase", 2, 3.0))
    found = features(*bought, (3, "refund", 0, 4.0))
    assert (number("frequency", found), number("money", found)) == pytest.approx((1, 3))
    assert number("recency_days", found) == pytest.approx(8)  # they were here, whatever they brought back
    found = features(*bought, (3, "refund", 0, 9.0), (3, "refund", 0, 9.0), (4, "refund", 2, 9.0))
    assert (number("frequency", found), number("money", found)) == (0, 0)


def test_where_nothing_is_bought_a_refund_means_nothing() -> None:
    viewed = ((1, "view_item", 0, 4.0), (2, "view_item", 2, 3.0))
    found = features(*viewed, (3, "refund", 0, 4.0), event_types=("view_item",))
    assert number("frequency", found) == pytest.approx(2)


def test_a_refund_alone_is_a_stranger() -> None:
    found = features((3, "refund", 0, 4.0))
    assert found.numbers.tolist() == [0, 0, 0, 0, 0]
    assert found.category == -1


@pytest.mark.parametrize(
    ("items_by_day", "favourite"),
    [
        ({1: [0, 0], 2: [2]}, 5),  # the most counted
        ({1: [0], 2: [2]}, 3),  # a draw: the one counted last
        ({1: [2], 2: [1]}, 5),
        ({1: [2, 0]}, 3),  # a draw in one moment: the smaller code
        ({1: [2], 2: [0, 2], 3: [1]}, 5),
        ({1: [3]}, -1),
        ({1: [3, 3, 3, 0]}, 5),  # items without a category have no vote
    ],
)
def test_the_favourite_category(items_by_day: dict[int, list[int]], favourite: int) -> None:
    events = [(day, "purchase", item, 1.0) for day, items in items_by_day.items() for item in items]
    assert features(*events).category == favourite


def test_an_ordinal_clock_has_no_days() -> None:
    found = features((2, "purchase", 0, 4.0), (7, "purchase", 2, 1.0), has_times=False)
    assert (number("recency_days", found), number("tenure_days", found)) == (0, 0)
    assert number("frequency", found) == pytest.approx(2)


@pytest.mark.parametrize(
    ("found", "counted"),
    [
        (("view_item", "purchase", "refund"), ("purchase",)),
        (("review", "view_item", "remove_from_cart", "refund"), ("view_item", "review")),
        (("remove_from_cart",), ()),
    ],
)
def test_purchases_count_and_without_any_every_interest(
    found: tuple[str, ...], counted: tuple[str, ...]
) -> None:
    assert profile_event_types(found) == counted


events_strategy = st.lists(
    st.tuples(
        st.integers(0, 6),
        st.sampled_from(["purchase", "purchase", "refund", "view_item", "add_to_cart"]),
        st.integers(0, 3),
        st.sampled_from([float("nan"), 0.0, 0.1, 2.5, 19.99]),
    ),
    max_size=15,
).map(sorted)
users_strategy = st.lists(events_strategy, min_size=1, max_size=4).filter(any)


def table(users: list[list[Event]]) -> pl.LazyFrame:
    rows = [
        (user, day * DAY, EVENT_TYPE_CODE[kind], price, int(CATEGORIES[item]))
        for user, events in enumerate(users)
        for day, kind, item, price in events
    ]
    types = {"user": pl.Int32, "time": pl.Int64, "kind": pl.Int8, "price": pl.Float32, "category": pl.Int32}
    return pl.LazyFrame(rows, schema=types, orient="row")


@given(
    users=users_strategy,
    event_types=st.sampled_from([("purchase",), ("view_item", "add_to_cart")]),
    has_times=st.booleans(),
)
def test_the_lazy_pass_says_of_every_event_what_the_plain_way_says_of_the_history_before_it(
    users: list[list[Event]], event_types: tuple[str, ...], has_times: bool
) -> None:
    found = user_features_before_events(
        table(users), profile_event_types=event_types, has_times=has_times
    ).collect()
    plain = [
        features(*events, day=event[0], event_types=event_types, has_times=has_times)
        for events in users
        for event in events
    ]
    assert_allclose(
        found.select(USER_NUMBERS).to_numpy(), np.stack([one.numbers for one in plain]), rtol=1e-6
    )
    assert found["category"].to_list() == [one.category for one in plain]


@given(users=users_strategy, day=st.integers(0, 8))
def test_as_of_one_moment_the_lazy_pass_has_a_row_for_everyone_seen(
    users: list[list[Event]], day: int
) -> None:
    frame = user_features_as_of(
        table(users), as_of=day * DAY, profile_event_types=("purchase",), has_times=True
    ).collect()
    found = {row[0]: row[1:] for row in frame.rows()}
    for user, events in enumerate(users):
        plain = features(*events, day=day)
        numbers = found.get(user, (0.0, 0.0, 0.0, 0.0, 0.0, -1))
        assert_allclose(numbers[:-1], plain.numbers, rtol=1e-6)
        assert numbers[-1] == plain.category


def test_a_category_beyond_the_table_of_a_user_tower_is_unknown_to_it() -> None:
    categories = np.array([-1, 0, MAX_CATEGORIES - 1, MAX_CATEGORIES], np.int32)
    attributes = np.array([[7], [8], [9], [0]], np.int32)
    assert user_codes(categories, attributes).tolist() == [[0, 7], [1, 8], [MAX_CATEGORIES, 9], [0, 0]]
