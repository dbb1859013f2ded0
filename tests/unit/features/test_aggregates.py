"""Every aggregate against plain loops, and the promise of all of them: nothing at or after `as_of` is
seen."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse

from features.core.columns import EVENT_TYPE_CODE, MICROSECONDS_PER_DAY
from features.histories import History, IntArray, ages_in_days, encoder_inputs
from features.profiles.item_neighbours import (
    MIN_TOGETHER,
    SHRINKAGE,
    Neighbours,
    basket_neighbours,
    next_neighbours,
    weighted_neighbours,
)
from features.profiles.item_popularity import first_seen, popularity
from features.profiles.item_statistics import item_statistics
from features.profiles.recency_frequency import RecencyFrequency, recency_frequency
from features.profiles.repeat_rates import PRIOR_BUYERS, repeat_rates
from features.profiles.user_profile import build_user_profile
from features.retrievers.user_knn import UserKNN

NUM_ITEMS = 6
AS_OF = 10 * MICROSECONDS_PER_DAY
PURCHASE = np.array([EVENT_TYPE_CODE["purchase"]], np.int8)
CATEGORIES = np.array([0, 0, 1, 1, 2, -1], np.int32)

Rows = list[tuple[int, int, list[int]]]
"""(user, day, items of the basket)"""

baskets_strategy = st.lists(
    st.tuples(
        st.integers(0, 3), st.integers(0, 19), st.lists(st.integers(0, NUM_ITEMS - 1), min_size=1, max_size=4)
    ),
    min_size=1,
    max_size=25,
)


def events_of(rows: Rows) -> tuple[IntArray, History]:
    """(user of each event, events) in the order of users and time, as a dataset holds them."""
    rows = sorted(rows, key=lambda row: row[:2])
    flat = [(user, day, item, number) for number, (user, day, items) in enumerate(rows) for item in items]
    users, days, items, baskets = (np.array(column, np.int64) for column in zip(*flat, strict=True))
    events = History(
        items=items.astype(np.int32),
        event_types=np.full(len(flat), EVENT_TYPE_CODE["purchase"], np.int8),
        times=days * MICROSECONDS_PER_DAY,
        baskets=baskets,
        prices=(1.0 + items).astype(np.float32),
    )
    return users.astype(np.int32), events


def before(rows: Rows, day: int = 10) -> Rows:
    return sorted((row for row in rows if row[1] < day), key=lambda row: row[:2])


def ones(events: History) -> NDArray[np.float32]:
    return np.ones(len(events), np.float32)


def some_weights(events: History) -> NDArray[np.float32]:
    """Of each event by its item and day: 1, 1.5 or 2."""
    days = events.times // MICROSECONDS_PER_DAY
    return (1 + (events.items + days) % 3 / 2).astype(np.float32)


def weight(item: int, day: int) -> float:
    return 1 + (item + day) % 3 / 2


def one_person(rows: Rows) -> History:
    return events_of([(0, day, items) for _, day, items in rows])[1]


@given(baskets_strategy, st.sampled_from([None, 0.5, 3.0, 100.0]))
@settings(max_examples=80, deadline=None)
def test_popularity_counts_the_window_and_first_seen_is_the_first_time(
    rows: Rows, days: float | None
) -> None:
    _, events = events_of(rows)
    sums: dict[int, float] = defaultdict(float)
    first = [AS_OF] * NUM_ITEMS
    for _, day, items in before(rows):
        for item in items:
            sums[item] += weight(item, day) * (days is None or day >= 10 - days)
            first[item] = min(first[item], day * MICROSECONDS_PER_DAY)
    found = popularity(events, weights=some_weights(events), num_items=NUM_ITEMS, as_of=AS_OF, days=days)
    assert found.tolist() == [sums[item] for item in range(NUM_ITEMS)]
    assert first_seen(events, num_items=NUM_ITEMS, as_of=AS_OF).tolist() == first


def rhythm_of(
    events: History, *, half_lives: tuple[float, ...], recent_days: tuple[float, ...]
) -> RecencyFrequency:
    past = events.before(AS_OF)
    ages = ages_in_days(past.times, as_of=AS_OF)
    return recency_frequency(
        past.items, weights=some_weights(past), ages=ages, half_lives=half_lives, recent_days=recent_days
    )


@given(baskets_strategy)
@settings(max_examples=80, deadline=None)
def test_a_rhythm_counts_decays_and_spaces(rows: Rows) -> None:
    own = rhythm_of(one_person(rows), half_lives=(2.0, 30.0), recent_days=(3.0,))
    days: dict[int, list[int]] = defaultdict(list)
    for _, day, items in before(rows):
        for item in items:
            days[item].append(day)
    assert own.codes.tolist() == sorted(days)
    for place, item in enumerate(sorted(days)):
        ages = [10 - day for day in days[item]]
        weights = [weight(item, day) for day in days[item]]
        assert own.num_events[place] == len(ages)
        assert own.counts[place] == sum(weights)
        decayed = [
            sum(one * 0.5 ** (age / life) for one, age in zip(weights, ages, strict=True))
            for life in (2.0, 30.0)
        ]
        assert own.decayed[place].tolist() == pytest.approx(decayed)
        recent = sum(one for one, age in zip(weights, ages, strict=True) if age <= 3)
        assert own.recent[place].tolist() == [pytest.approx(recent)]
        assert own.days_since[place] == min(ages)
        assert own.days_since_first[place] == max(ages)
        span = max(ages) - min(ages)
        expected = span / (len(ages) - 1) if span else math.nan
        assert own.mean_gap[place] == pytest.approx(expected, nan_ok=True)


@given(baskets_strategy)
@settings(max_examples=80, deadline=None)
def test_repeat_rates_are_shares_of_buyers_drawn_to_the_mean(rows: Rows) -> None:
    users, events = events_of(rows)
    found = repeat_rates(users, events, num_items=NUM_ITEMS, as_of=AS_OF)
    days: dict[tuple[int, int], list[int]] = defaultdict(list)
    for user, day, items in before(rows):
        for item in items:
            days[item, user].append(day)
    again = {pair: found for pair, found in days.items() if max(found) > min(found)}
    gaps = {pair: len(found) - 1 for pair, found in again.items()}
    spans = {pair: max(found) - min(found) for pair, found in again.items()}
    mean_rate = len(again) / max(len(days), 1)
    mean_gap = sum(spans.values()) / sum(gaps.values()) if gaps else 0.0
    for item in range(NUM_ITEMS):
        buyers = sum(pair[0] == item for pair in days)
        repeaters = sum(pair[0] == item for pair in again)
        rate = (repeaters + PRIOR_BUYERS * mean_rate) / (buyers + PRIOR_BUYERS)
        span = sum(value for pair, value in spans.items() if pair[0] == item)
        num_gaps = sum(value for pair, value in gaps.items() if pair[0] == item)
        assert found.rate[item] == pytest.approx(rate, rel=1e-5)
        assert found.gap_days[item] == pytest.approx(
            (span + PRIOR_BUYERS * mean_gap) / (num_gaps + PRIOR_BUYERS), rel=1e-5
        )


def slow_neighbours(pairs: list[tuple[set[int], set[int]]]) -> dict[int, list[tuple[int, float]]]:
    """Item → (neighbour, score), best first, over (basket, the one it is compared with)."""
    left, right = (
        Counter(item for basket, _ in pairs for item in basket),
        Counter(item for _, other in pairs for item in other),
    )
    together = Counter(
        (one, other) for basket, others in pairs for one in basket for other in others if one != other
    )
    found: dict[int, list[tuple[int, float]]] = defaultdict(list)
    for (one, other), count in together.items():
        if count >= MIN_TOGETHER:
            found[one].append((other, count / (math.sqrt(left[one] * right[other]) + SHRINKAGE)))
    return {
        one: sorted(others, key=lambda pair: (-round(pair[1], 6), pair[0])) for one, others in found.items()
    }


def assert_same(
    found: Neighbours, expected: dict[int, list[tuple[int, float]]], *, num_neighbours: int
) -> None:
    assert found.items.shape == found.scores.shape == (NUM_ITEMS, num_neighbours)
    for item in range(NUM_ITEMS):
        wanted = expected.get(item, [])[:num_neighbours]
        kept = found.items[item] >= 0
        assert found.scores[item][kept].tolist() == pytest.approx([score for _, score in wanted], rel=1e-5)
        assert (found.scores[item][~kept] == 0).all()
        scores = dict(expected.get(item, []))
        for neighbour, score in zip(
            found.items[item][kept].tolist(), found.scores[item][kept].tolist(), strict=True
        ):
            assert score == pytest.approx(scores[neighbour], rel=1e-5)


dense_baskets = st.lists(
    st.tuples(
        st.integers(0, 2), st.integers(0, 14), st.lists(st.integers(0, NUM_ITEMS - 1), min_size=2, max_size=6)
    ),
    min_size=10,
    max_size=40,
)


@given(dense_baskets, st.integers(1, NUM_ITEMS))
@settings(max_examples=60, deadline=None)
def test_basket_neighbours_are_the_shrunk_cosine(rows: Rows, num_neighbours: int) -> None:
    _, events = events_of(rows)
    found = basket_neighbours(events, num_items=NUM_ITEMS, as_of=AS_OF, num_neighbours=num_neighbours)
    expected = slow_neighbours([(set(items), set(items)) for _, _, items in before(rows)])
    assert_same(found, expected, num_neighbours=num_neighbours)


@given(dense_baskets, st.sampled_from([0.0, 1.0, 3.0]))
@settings(max_examples=60, deadline=None)
def test_next_neighbours_look_at_the_same_persons_next_basket_within_the_days(
    rows: Rows, days: float
) -> None:
    users, events = events_of(rows)
    found = next_neighbours(users, events, num_items=NUM_ITEMS, as_of=AS_OF, num_neighbours=3, days=days)
    past = before(rows)
    pairs = [
        (set(items), set(following))
        for (user, day, items), (next_user, next_day, following) in pairwise(past)
        if user == next_user and next_day - day <= days
    ]
    assert_same(found, slow_neighbours(pairs), num_neighbours=3)


@given(dense_baskets, st.lists(st.integers(0, NUM_ITEMS - 1), max_size=4))
@settings(max_examples=40, deadline=None)
def test_neighbour_scores_are_weighted_sums_of_lists(rows: Rows, of: list[int]) -> None:
    _, events = events_of(rows)
    neighbours = basket_neighbours(events, num_items=NUM_ITEMS, as_of=AS_OF, num_neighbours=3)
    weights = np.arange(1, len(of) + 1, dtype=np.float32)
    expected: dict[int, float] = defaultdict(float)
    for item, weight in zip(of, weights.tolist(), strict=True):
        for other, score in zip(
            neighbours.items[item].tolist(), neighbours.scores[item].tolist(), strict=True
        ):
            if other >= 0:
                expected[other] += weight * score
    items, sums = weighted_neighbours(neighbours, np.array(of, np.int32), weights)
    assert items.tolist() == sorted(expected)
    assert sums.tolist() == pytest.approx([expected[item] for item in sorted(expected)], rel=1e-5)


AGGREGATES: dict[str, Callable[[IntArray, History], Any]] = {
    "popularity": lambda _, e: popularity(e, weights=ones(e), num_items=NUM_ITEMS, as_of=AS_OF, days=5),
    "popularity_all": lambda _, e: popularity(
        e, weights=ones(e), num_items=NUM_ITEMS, as_of=AS_OF, days=None
    ),
    "first_seen": lambda _, e: first_seen(e, num_items=NUM_ITEMS, as_of=AS_OF),
    "repeat_rates": lambda u, e: repeat_rates(u, e, num_items=NUM_ITEMS, as_of=AS_OF),
    "basket_neighbours": lambda _, e: basket_neighbours(
        e, num_items=NUM_ITEMS, as_of=AS_OF, num_neighbours=3
    ),
    "next_neighbours": lambda u, e: next_neighbours(
        u, e, num_items=NUM_ITEMS, as_of=AS_OF, num_neighbours=3, days=5
    ),
    "user_knn": lambda u, e: UserKNN.from_events(
        u, e, num_items=NUM_ITEMS, as_of=AS_OF, days=5, keys=[str(user) for user in range(100)]
    ),
    "item_statistics": lambda u, e: item_statistics(
        u, e, weights=ones(e), categories=CATEGORIES, parents=CATEGORIES // 2, as_of=AS_OF, days=2.0
    ),
    "user_profile": lambda _, e: build_user_profile(
        by_time(e),
        as_of=AS_OF,
        targets={"purchase": 1.0},
        item_categories=CATEGORIES,
        item_parents=CATEGORIES // 2,
        half_lives=(3.0,),
        recent_days=(2.0, 5.0),
        num_recent=5,
        profile_event_types=PURCHASE,
        has_times=True,
    ),
    "encoder_inputs": lambda _, e: encoder_inputs(
        by_time(e), as_of=AS_OF, event_types=PURCHASE, max_length=7, order="sequence"
    ),
}


def by_time(events: History) -> History:
    return events.take(np.argsort(events.times, kind="stable"))


def assert_equal(found: Any, expected: Any) -> None:
    if sparse.issparse(found):
        np.testing.assert_array_equal(found.toarray(), expected.toarray())
    elif is_dataclass(found):
        for field in fields(found):
            assert_equal(getattr(found, field.name), getattr(expected, field.name))
    else:
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", AGGREGATES)
@given(rows=dense_baskets)
@settings(max_examples=25, deadline=None)
def test_events_at_or_after_as_of_change_nothing(name: str, rows: Rows) -> None:
    past = before([*rows, (0, 2, [0, 1])])
    at_and_after = [(user, day + 10, items) for user, day, items in rows] + [(0, 10, [0, 1, 2])]
    assert_equal(AGGREGATES[name](*events_of([*past, *at_and_after])), AGGREGATES[name](*events_of(past)))


@pytest.mark.parametrize("name", AGGREGATES)
def test_without_a_past_every_aggregate_is_empty_and_not_an_error(name: str) -> None:
    users, events = events_of([(0, 12, [0, 1]), (1, 13, [2])])
    assert_equal(AGGREGATES[name](users, events), AGGREGATES[name](np.empty(0, np.int32), History.empty()))
