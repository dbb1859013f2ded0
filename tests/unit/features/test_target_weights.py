"""Which events still count after refunds and removals, against a plain loop with a stack."""

from __future__ import annotations

from collections import defaultdict
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.settings.event_types import TARGET_EVENT_TYPES, EventType
from features.core.columns import EVENT_TYPE_CODE, ITEM_EVENT_TYPES, UNDOES
from features.histories import History, IntArray
from features.target_weights import counting_event_types, target_weights

Event = tuple[int, EventType, int, int]
"""(user, event type, item, time)"""

TARGETS: dict[EventType, float] = {"purchase": 1.0, "add_to_cart": 0.25, "view_item": 0.125}


def flat(events: list[Event]) -> tuple[IntArray, History]:
    """(user of each, events), in the order of users and time as a dataset has them."""
    events = sorted(events, key=lambda event: (event[0], event[3]))
    history = History(
        items=np.array([item for _, _, item, _ in events], np.int32),
        event_types=np.array([EVENT_TYPE_CODE[kind] for _, kind, _, _ in events], np.int8),
        times=np.array([time for *_, time in events], np.int64),
        baskets=np.arange(len(events), dtype=np.int64),
        prices=np.ones(len(events), np.float32),
    )
    return np.array([user for user, *_ in events], np.int32), history


def slow_weights(users: IntArray, events: History, targets: dict[EventType, float]) -> list[float]:
    names: dict[int, EventType] = {EVENT_TYPE_CODE[name]: name for name in get_args(EventType)}
    event_types = [names[code] for code in events.event_types.tolist()]
    weights = [targets.get(name, 0.0) for name in event_types]
    piles: dict[tuple[int, int, str], list[int]] = defaultdict(list)
    for place in sorted(
        range(len(event_types)), key=lambda place: (events.times[place], event_types[place] in UNDOES, place)
    ):
        key = (int(users[place]), int(events.items[place]))
        if event_types[place] in UNDOES:
            pile = piles[*key, UNDOES[event_types[place]]]
            if pile:
                weights[pile.pop()] = 0.0
        else:
            piles[*key, event_types[place]].append(place)
    return weights


kinds_strategy: st.SearchStrategy[EventType] = st.sampled_from(
    ["purchase", "refund", "add_to_cart", "remove_from_cart", "view_item"]
)
events_strategy = st.lists(
    st.tuples(st.integers(0, 2), kinds_strategy, st.integers(0, 2), st.integers(0, 12)), max_size=60
)


@given(events_strategy, st.sets(st.sampled_from(sorted(TARGETS)), min_size=1))
@settings(max_examples=400, deadline=None)
def test_weights_against_a_walk(events: list[Event], chosen: set[EventType]) -> None:
    users, history = flat(events)
    targets = {kind: TARGETS[kind] for kind in chosen}
    found = target_weights(users, history, targets)
    assert found.dtype == np.float32
    assert found.tolist() == slow_weights(users, history, targets)


@given(events_strategy)
@settings(max_examples=100, deadline=None)
def test_one_persons_history_needs_no_users(events: list[Event]) -> None:
    users, history = flat([(0, *event[1:]) for event in events])
    assert target_weights(None, history, TARGETS).tolist() == target_weights(users, history, TARGETS).tolist()


@given(events_strategy)
@settings(max_examples=100, deadline=None)
def test_kinds_that_do_not_count_may_be_left_out(events: list[Event]) -> None:
    users, history = flat(events)
    targets: dict[EventType, float] = {"purchase": 1.0}
    counting = np.isin(history.event_types, counting_event_types(targets))
    assert not np.isin(
        [EVENT_TYPE_CODE["view_item"], EVENT_TYPE_CODE["remove_from_cart"]], counting_event_types(targets)
    ).any()
    kept = target_weights(users[counting], history.take(counting), targets)
    assert kept.tolist() == target_weights(users, history, targets)[counting].tolist()


def weights_of(*events: tuple[EventType, int, int]) -> list[float]:
    """(event type, item, time) of one user."""
    weights: list[float] = target_weights(*flat([(4, *event) for event in events]), TARGETS).tolist()
    return weights


@pytest.mark.parametrize(
    ("events", "weights"),
    [
        ([("purchase", 1, 1), ("view_item", 1, 2), ("search", 1, 3)], [1, 0.125, 0]),
        ([("purchase", 1, 1), ("purchase", 1, 2), ("refund", 1, 3)], [1, 0, 0]),
        ([("purchase", 1, 1), ("refund", 1, 2), ("purchase", 1, 3)], [0, 0, 1]),
        ([("refund", 1, 1), ("purchase", 1, 2)], [0, 1]),
        ([("refund", 1, 2), ("purchase", 1, 2)], [0, 0]),
        ([("refund", 1, 0), ("purchase", 1, 1), ("purchase", 1, 2),
          ("refund", 1, 3), ("refund", 1, 4), ("refund", 1, 5)],
         [0, 0, 0, 0, 0, 0]),
        ([("purchase", 1, 1), ("refund", 2, 2)], [1, 0]),
        ([("purchase", 1, 1), ("remove_from_cart", 1, 2)], [1, 0]),
        ([("add_to_cart", 1, 1), ("remove_from_cart", 1, 2)], [0, 0]),
        ([("add_to_cart", 1, 1), ("purchase", 1, 2), ("refund", 1, 3)], [0.25, 0, 0]),
    ],
)  # fmt: skip
def test_examples(events: list[tuple[EventType, int, int]], weights: list[float]) -> None:
    assert weights_of(*events) == weights


def test_anothers_refund_takes_nothing_away() -> None:
    assert target_weights(*flat([(0, "purchase", 1, 1), (1, "refund", 1, 2)]), TARGETS).tolist() == [1, 0]


def test_a_large_item_number_is_not_taken_for_another_user() -> None:
    largest = 2**31 - 2
    users, history = flat([(0, "purchase", 3, 1), (1, "refund", 3, 2), (1, "purchase", 0, 1)])
    history = History(
        **{**vars(history), "items": np.where(history.items == 0, np.int32(largest // 1000), history.items)}
    )
    assert target_weights(users, history, TARGETS).tolist() == [1, 1, 0]


def test_nothing_comes_of_nothing() -> None:
    assert target_weights(np.empty(0, np.int32), History.empty(), TARGETS).tolist() == []
    assert target_weights(None, History.empty(), TARGETS).tolist() == []


def test_every_item_event_is_a_possible_target_or_takes_one_back() -> None:
    assert {*TARGET_EVENT_TYPES, *UNDOES} == set(ITEM_EVENT_TYPES)
    assert set(UNDOES.values()) <= set(TARGET_EVENT_TYPES)
