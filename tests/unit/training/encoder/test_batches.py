"""Training batches: within their size, with little padding, and no target predicted from its own basket."""

from __future__ import annotations

import doctest
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import training.encoder.batches
from configs.settings.data import SplitConfig
from features.core.columns import EVENT_TYPE_CODE, MICROSECONDS_PER_DAY
from features.dataset import Dataset
from features.histories import EncoderInputs, History
from features.profiles.user_features import UserFeatures, user_codes, user_features
from features.splits import split_points
from training.encoder.batches import Batch, Events, TrainingBatches, next_basket_pairs
from training.encoder.user_table import UserTable
from training.encoder.validation import ValidationRow, validation_batches

MAX_LENGTH = 8

users_with_baskets = st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=9), min_size=1, max_size=6)
"""A list of basket sizes for each user."""


def shop_of(baskets_of_users: list[list[int]], *, seed: int = 0) -> Events:
    """Every event has an item of its own, so that it can be followed; a fifth are views."""
    sizes = [size for user in baskets_of_users for size in user]
    count = sum(sizes)
    baskets = np.repeat(np.arange(len(sizes), dtype=np.int64), sizes)
    lengths = np.array([sum(user) for user in baskets_of_users], np.int64)
    is_target = np.random.default_rng(seed).random(count) < 0.8
    events = History(
        items=np.arange(count, dtype=np.int32),
        event_types=np.where(is_target, EVENT_TYPE_CODE["purchase"], EVENT_TYPE_CODE["view_item"]).astype(
            np.int8
        ),
        times=baskets * MICROSECONDS_PER_DAY,
        baskets=baskets,
        prices=np.ones(count, np.float32),
    )
    keep = lengths > 1
    return Events(
        events,
        starts=(np.cumsum(lengths) - lengths)[keep],
        lengths=lengths[keep],
        weights=np.where(is_target, 0.5 + np.arange(count) % 3, 0).astype(np.float32),
        rows=np.arange(count),
    )


def epoch(events: Events, *, number: int = 0, seed: int = 0, batch_tokens: int = 24) -> list[Batch]:
    batches = TrainingBatches(events, max_length=MAX_LENGTH, batch_tokens=batch_tokens, seed=seed)
    batches.set_epoch(number)
    return list(batches)


def rows_of(batch: Batch) -> list[list[int]]:
    """The inputs of each row."""
    return [
        items[:length].tolist()
        for items, length in zip(batch.items_BL, batch.lengths_B.tolist(), strict=True)
    ]


@given(users_with_baskets, st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_pairs_are_each_target_with_the_state_before_its_basket(
    baskets_of_users: list[list[int]], number: int
) -> None:
    events = shop_of(baskets_of_users)
    basket_of, is_target = events.events.baskets, events.is_target
    for batch in epoch(events, number=number):
        width = batch.items_BL.shape[1]
        found = {
            (int(batch.states_S[state]), int(target))
            for state, target in zip(batch.pair_state_P, batch.targets_P, strict=True)
        }
        assert len(found) == len(batch.targets_P)
        assert batch.pair_weight_P.tolist() == events.weights[batch.targets_P.numpy()].tolist()
        expected = set()
        for row, items in enumerate(rows_of(batch)):
            # the event after the inputs of a row is one of these: a basket's events are in random order
            after = {target for state, target in found if state // width == row} - set(items)
            assert len(after) <= 1
            assert all(item not in items and item - max(items) <= 4 for item in after)
            for item in [*items, *after]:
                before = [place for place, other in enumerate(items) if basket_of[other] < basket_of[item]]
                if is_target[item] and before:
                    expected.add((row * width + before[-1], item))
        assert found == expected


@given(users_with_baskets, st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_a_batch_keeps_its_size_and_rows_are_one_users_events_in_the_order_of_time(
    baskets_of_users: list[list[int]], number: int
) -> None:
    events = shop_of(baskets_of_users)
    owner = np.repeat(np.arange(len(baskets_of_users)), [sum(user) for user in baskets_of_users])
    for batch in epoch(events, number=number):
        assert batch.items_BL.numel() <= 24
        assert batch.items_BL.shape[1] == int(batch.lengths_B.max()) <= MAX_LENGTH
        for row, (items, length) in enumerate(zip(rows_of(batch), batch.lengths_B.tolist(), strict=True)):
            assert len(set(owner[items])) == 1
            assert (batch.items_BL[row, length:] == 0).all()
            assert (np.diff(events.events.baskets[items]) >= 0).all()
            assert batch.event_types_BL[row, :length].tolist() == events.events.event_types[items].tolist()
            ages, days = (
                batch.ages_BL[row, :length].numpy(),
                events.events.times[items] / MICROSECONDS_PER_DAY,
            )
            assert ages[-1] in (0, 1), "the age as of the event after the inputs: a basket is a day"
            assert ages.tolist() == pytest.approx((days[-1] - days + ages[-1]).tolist())


@given(users_with_baskets, st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_every_event_but_the_last_is_an_input_once(baskets_of_users: list[list[int]], number: int) -> None:
    events = shop_of(baskets_of_users)
    counts = Counter(item for batch in epoch(events, number=number) for row in rows_of(batch) for item in row)
    assert set(counts.values()) <= {1}
    for start, length in zip(events.starts.tolist(), events.lengths.tolist(), strict=True):
        assert sum(counts[item] for item in range(start, start + length)) == length - 1


@given(st.lists(st.integers(2, 40), min_size=1, max_size=6), st.integers(0, 3))
@settings(max_examples=40, deadline=None)
def test_of_single_events_every_one_but_the_first_is_a_target_once(lengths: list[int], number: int) -> None:
    events = shop_of([[1] * length for length in lengths])
    found = sorted(int(item) for batch in epoch(events, number=number) for item in batch.targets_P)
    is_first = np.zeros(len(events.events), bool)
    is_first[events.starts] = True
    assert found == np.flatnonzero(events.is_target & ~is_first).tolist()


@pytest.mark.parametrize("length", [MAX_LENGTH + 1, 40])
def test_the_state_of_a_full_history_predicts(length: int) -> None:
    """It answers everyone with `max_length` events and more."""
    events = shop_of([[1] * length])
    batches = [batch for number in range(10) for batch in epoch(events, number=number)]
    found = {int(state) % batch.items_BL.shape[1] for batch in batches for state in batch.states_S}
    assert max(found) == MAX_LENGTH - 1


def test_the_first_piece_differs_from_epoch_to_epoch() -> None:
    events = shop_of([[1] * 40])
    rows = [row for number in range(12) for batch in epoch(events, number=number) for row in rows_of(batch)]
    assert len({len(row) for row in rows if row[0] == 0}) > 3


def flat(batches: list[Batch]) -> list[list[int]]:
    return [batch.items_BL.flatten().tolist() for batch in batches]


def test_an_epoch_of_a_seed_is_always_the_same_and_others_differ() -> None:
    events = shop_of([[3, 2, 1, 4] * 3, [2] * 9, [1, 1, 4], [4, 4, 4]])
    runs_before = TrainingBatches(events, max_length=MAX_LENGTH, batch_tokens=24, seed=5)
    for number in (0, 1, 2):
        runs_before.set_epoch(number)
        list(runs_before)
    runs_before.set_epoch(1)
    assert flat(list(runs_before)) == flat(epoch(events, number=1, seed=5))
    assert runs_before.num_batches() == len(list(runs_before))
    assert flat(epoch(events, number=2, seed=5)) != flat(epoch(events, number=1, seed=5))
    assert flat(epoch(events, number=1, seed=6)) != flat(epoch(events, number=1, seed=5))


def test_a_basket_is_a_set_its_order_changes_between_epochs() -> None:
    events = shop_of([[4, 1]])
    orders = {tuple(rows_of(epoch(events, number=number)[0])[0][:4]) for number in range(30)}
    assert len(orders) > 10
    assert all(set(order) == {0, 1, 2, 3} for order in orders)


def test_there_is_little_padding() -> None:
    generator = np.random.default_rng(0)
    events = shop_of([[1] * int(length) for length in generator.geometric(0.03, size=2000) + 1])
    batches = TrainingBatches(events, max_length=200, batch_tokens=2048, seed=0)
    padded = sum(batch.items_BL.numel() for batch in batches)
    real = sum(int(batch.lengths_B.sum()) for batch in batches)
    assert (padded - real) / padded < 0.06
    assert len(list(batches)) < 1.1 * real / 2048 + 2


def slow_pairs(baskets: NDArray[np.int64], is_target: NDArray[np.bool_]) -> list[tuple[int, int]]:
    pairs = []
    for row in range(len(baskets)):
        for place in range(baskets.shape[1]):
            start = place
            while start > 0 and baskets[row, start - 1] == baskets[row, place]:
                start -= 1
            if is_target[row, place] and start > 0:
                pairs.append((row * baskets.shape[1] + start - 1, row * baskets.shape[1] + place))
    return pairs


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=6, max_size=6), min_size=1, max_size=3
    )
)
@settings(max_examples=80, deadline=None)
def test_next_basket_pairs_against_a_walk(rows: list[list[tuple[int, bool]]]) -> None:
    baskets = np.array([sorted(basket for basket, _ in row) for row in rows], np.int64)
    is_target = np.array([[target for _, target in row] for row in rows])
    states, pair_state, targets = next_basket_pairs(baskets, is_target)
    assert (np.diff(states) > 0).all()
    assert list(zip(states[pair_state].tolist(), targets.tolist(), strict=True)) == slow_pairs(
        baskets, is_target
    )


def test_the_example_in_the_docstring_is_true() -> None:
    assert doctest.testmod(training.encoder.batches) == doctest.TestResults(failed=0, attempted=1)


def test_events_before_a_split_point_are_inputs_only_and_nothing_after_it(shop_dataset: Dataset) -> None:
    point, _, _ = split_points(shop_dataset, SplitConfig(window_days=14))
    purchase = np.array([EVENT_TYPE_CODE["purchase"]], np.int8)
    bought = Events.before(shop_dataset, point, input_event_types=purchase, targets={"purchase": 1.0})
    assert bought.is_target.all()
    assert bought.events.times.max() < point.as_of
    assert set(bought.events.event_types.tolist()) == {EVENT_TYPE_CODE["purchase"]}
    both = Events.before(
        shop_dataset,
        point,
        input_event_types=np.array([EVENT_TYPE_CODE["purchase"], EVENT_TYPE_CODE["view_item"]], np.int8),
        targets={"purchase": 1.0},
    )
    assert len(both.events) > len(bought.events)
    assert both.is_target.sum() == len(bought.events)
    assert (bought.lengths > 1).all()


def test_a_hidden_state_reads_the_user_as_of_the_basket_it_predicts(shop_dataset: Dataset) -> None:
    """The user features of a state are those of `user_features` for the history before the next basket."""
    point, _, _ = split_points(shop_dataset, SplitConfig(window_days=14))
    purchase = np.array([EVENT_TYPE_CODE["purchase"]], np.int8)
    events = Events.before(shop_dataset, point, input_event_types=purchase, targets={"purchase": 1.0})
    table = UserTable.of(shop_dataset)
    batch = next(
        iter(TrainingBatches(events, max_length=MAX_LENGTH, batch_tokens=200, seed=0, user_table=table))
    )
    assert batch.user is not None
    numbers, codes = batch.user.numbers.flatten(0, 1), batch.user.codes.flatten(0, 1)
    before: dict[int, list[tuple[int, UserFeatures]]] = {}
    for state, of_pair in zip(
        batch.states_S[batch.pair_state_P].tolist(), batch.targets_P.tolist(), strict=True
    ):
        if of_pair not in before:
            before[of_pair] = features_before_buying(shop_dataset, of_pair)
        matches = [
            user_codes(np.int32(found.category), shop_dataset.user_attributes[user]).tolist()
            == codes[state].tolist()
            and np.allclose(found.numbers, numbers[state], atol=1e-6)
            for user, found in before[of_pair]
        ]
        assert any(matches)


def features_before_buying(dataset: Dataset, item: int) -> list[tuple[int, UserFeatures]]:
    """(user, features just before it) for every purchase of the item."""
    found = []
    for row in np.flatnonzero((dataset.items == item) & (dataset.event_types == EVENT_TYPE_CODE["purchase"])):
        user = int(dataset.users[row])
        history, as_of = dataset.history(user), int(dataset.times[row])
        features = user_features(
            history,
            as_of=as_of,
            profile_event_types=dataset.profile_event_types,
            item_categories=dataset.categories,
            has_times=True,
        )
        found.append((user, features))
    return found


def with_refund(dataset: Dataset, place: int, *, days_later: float) -> Dataset:
    """The dataset with one more event: a refund of the event at `place`."""
    owner = int(dataset.users[place])
    time = int(dataset.times[place]) + int(days_later * MICROSECONDS_PER_DAY)
    after = int(dataset.offsets[owner] + np.searchsorted(dataset.history(owner).times, time, side="right"))
    added = {
        "items": dataset.items[place],
        "event_types": EVENT_TYPE_CODE["refund"],
        "times": time,
        "baskets": 10**9,
        "prices": np.nan,
    }
    arrays = {
        name: np.insert(np.asarray(getattr(dataset, name)), after, value) for name, value in added.items()
    }
    offsets = dataset.offsets + (np.arange(len(dataset.offsets)) > owner)
    return Dataset(**{**vars(dataset), **arrays, "offsets": offsets})


@pytest.mark.parametrize("is_read", [True, False])
def test_what_was_refunded_before_the_split_point_is_no_target_whether_or_not_the_refund_is_read(
    shop_dataset: Dataset, is_read: bool
) -> None:
    point, *_ = split_points(shop_dataset, SplitConfig(window_days=14))
    place = int(
        np.flatnonzero(
            (shop_dataset.event_types == EVENT_TYPE_CODE["purchase"])
            & (shop_dataset.times < point.as_of - 10 * 86_400e6)
        )[-1]
    )
    event_types = np.array(
        [EVENT_TYPE_CODE["purchase"], EVENT_TYPE_CODE["view_item"], EVENT_TYPE_CODE["refund"]], np.int8
    )[: 3 if is_read else 2]

    def events_of(dataset: Dataset) -> Events:
        point, *_ = split_points(dataset, SplitConfig(window_days=14))
        return Events.before(
            dataset, point, input_event_types=event_types, targets={"purchase": 1.0, "view_item": 0.25}
        )

    before = events_of(shop_dataset)
    assert set(before.weights.tolist()) == {1.0, 0.25}
    returned = events_of(with_refund(shop_dataset, place, days_later=0.01))
    assert len(returned.events) == len(before.events) + is_read
    assert before.weights.sum() - returned.weights.sum() == 1
    assert (returned.weights[returned.events.event_types == EVENT_TYPE_CODE["refund"]] == 0).all()
    kept = events_of(with_refund(shop_dataset, place, days_later=20))
    assert kept.weights.tolist() == before.weights.tolist(), (
        "a refund after the split point has no effect before it"
    )


@given(st.lists(st.integers(1, 30), min_size=1, max_size=30), st.integers(30, 90))
@settings(max_examples=60, deadline=None)
def test_validation_batches_hold_every_row_once_within_their_size(
    lengths: list[int], batch_tokens: int
) -> None:
    rows = [
        ValidationRow(
            row,
            EncoderInputs(
                np.full(length, row, np.int32), np.zeros(length, np.int64), np.zeros(length, np.float32)
            ),
            relevant=np.array([row], np.int32),
            excluded=np.array([row] * (row % 3), np.int32),
            numbers=np.full(2, row, np.float32),
            codes=np.full(3, row, np.int64),
        )
        for row, length in enumerate(lengths)
    ]
    batches = validation_batches(rows, batch_tokens=batch_tokens, max_rows=7)
    seen = []
    for batch in batches:
        assert batch.items_BL.numel() <= batch_tokens
        assert len(batch.lengths_B) <= 7
        parts = zip(batch.items_BL, batch.lengths_B.tolist(), batch.users_B, batch.user.numbers, strict=True)
        for place, (items, length, row, user_numbers) in enumerate(parts):
            assert items[:length].tolist() == [row] * lengths[row]
            assert batch.target_item_P[batch.target_row_P == place].tolist() == [row]
            assert batch.excluded_item_X[batch.excluded_row_X == place].tolist() == [row] * (row % 3)
            assert user_numbers.tolist() == [[row] * 2]
            seen.append(row)
    assert sorted(seen) == list(range(len(lengths)))
