"""Sets as batches, against the sets themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from features.histories import History, encoder_inputs
from training.encoder.batches import Batch, Events
from training.encoder.set_batches import SetBatches

VIEW, PURCHASE = 3, 8
SETS = [list(range(20)), [25, 26], [27, 27, 27], [30, 31, 30, 33, 33, 32], list(range(40, 100))]
"""Items of each user; some come again, and the third user has but one."""
MAX_LENGTH = 25


def make_events(weight_of_views: float = 0.0) -> Events:
    """Every fifth event is a view."""
    items = np.concatenate(SETS).astype(np.int32)
    lengths = np.array([len(items) for items in SETS], np.int64)
    is_view = np.arange(len(items)) % 5 == 4
    flat = History(
        items=items,
        event_types=np.where(is_view, VIEW, PURCHASE).astype(np.int8),
        times=np.arange(len(items), dtype=np.int64),
        baskets=np.arange(len(items), dtype=np.int64),
        prices=np.ones(len(items), np.float32),
    )
    weights = np.where(is_view, weight_of_views, 1.0).astype(np.float32)
    return Events(
        flat,
        starts=np.cumsum(lengths) - lengths,
        lengths=lengths,
        weights=weights,
        rows=np.arange(len(items)),
    )


def make_batches(*, batch_tokens: int = 60, seed: int = 0, weight_of_views: float = 0.0) -> SetBatches:
    return SetBatches(
        make_events(weight_of_views), max_length=MAX_LENGTH, batch_tokens=batch_tokens, seed=seed
    )


def rows_of(batch: Batch) -> list[tuple[list[int], list[int], list[float]]]:
    """(items of the query, targets, weights) of each row, read at the state that predicts."""
    width = batch.items_BL.shape[1]
    assert (batch.states_S // width).tolist() == list(range(len(batch.items_BL)))
    assert (batch.states_S % width == batch.lengths_B - 1).all()
    found = []
    for row, length in enumerate(batch.lengths_B.tolist()):
        mine = batch.pair_state_P == row
        query = batch.items_BL[row]
        assert (query[length:] == 0).all()
        found.append(
            (query[:length].tolist(), batch.targets_P[mine].tolist(), batch.pair_weight_P[mine].tolist())
        )
    return found


def test_no_target_stands_in_its_own_query_and_query_and_targets_are_one_users_set() -> None:
    batches = make_batches(weight_of_views=0.5)
    for epoch in range(5):
        batches.set_epoch(epoch)
        seen = [row for batch in batches for row in rows_of(batch)]
        assert sorted(sorted({*query, *targets}) for query, targets, _ in seen) == sorted(
            sorted(set(items)) for items in SETS if len(set(items)) > 1
        )
        for query, targets, weights in seen:
            assert len({*query, *targets}) == len(query) + len(targets), "an item occurs twice"
            assert query
            assert targets
            assert len(query) <= MAX_LENGTH
            assert sum(weights) == pytest.approx(1.0), "every user counts the same"


def test_what_is_no_target_is_only_asked_with() -> None:
    views = {int(item) for item in make_events().events.items[4::5]} - {27, 33}  # 33 was bought before
    batches = make_batches()
    asked = set()
    for epoch in range(20):
        batches.set_epoch(epoch)
        for batch in batches:
            for query, targets, _ in rows_of(batch):
                assert not views & set(targets)
                asked |= set(query)
    assert views <= asked


def test_every_item_is_a_target_in_turn() -> None:
    batches = make_batches(weight_of_views=1.0)
    found: set[int] = set()
    for epoch in range(40):
        batches.set_epoch(epoch)
        found |= {int(item) for batch in batches for item in batch.targets_P}
    assert found == {item for items in SETS if len(set(items)) > 1 for item in items}


def test_the_event_types_are_those_of_the_items() -> None:
    events = make_events().events
    expected = set(zip(events.items.tolist(), events.event_types.tolist(), strict=True))
    for batch in make_batches():
        for row, length in enumerate(batch.lengths_B.tolist()):
            pairs = zip(
                batch.items_BL[row, :length].tolist(),
                batch.event_types_BL[row, :length].tolist(),
                strict=True,
            )
            assert set(pairs) <= expected


def test_a_query_is_what_serving_reads_of_the_same_items() -> None:
    """Each item once, with the type of its latest event, no ages: `encoder_inputs` of the user's history."""
    events = make_events()
    owners = np.repeat(np.arange(len(SETS)), events.lengths)
    expected: dict[int, int] = {}
    for owner, items in enumerate(SETS):
        inputs = encoder_inputs(
            events.events.take(owners == owner),
            as_of=10**6,
            event_types=np.array([VIEW, PURCHASE], np.int8),
            max_length=100,
            order="set",
        )
        assert sorted(inputs.items) == sorted(set(items))
        assert not inputs.ages.any()
        expected |= dict(zip(inputs.items.tolist(), inputs.event_types.tolist(), strict=True))
    assert expected[33] == VIEW, "it was bought before"
    found: dict[int, int] = {}
    targets: set[int] = set()
    batches = make_batches()
    for epoch in range(20):
        batches.set_epoch(epoch)
        for batch in batches:
            targets |= set(batch.targets_P.tolist())
            assert not batch.ages_BL.any()
            for row, length in enumerate(batch.lengths_B.tolist()):
                pairs = zip(batch.items_BL[row, :length], batch.event_types_BL[row, :length], strict=True)
                found |= {int(item): int(event_type) for item, event_type in pairs}
    assert found == {item: expected[item] for item in found}
    assert 33 in found
    assert 33 in targets, "the purchase counts, though a view came after it"


def test_a_set_is_cut_to_its_latest_items() -> None:
    history = make_events().events.take(np.array([26, 25, 27, 30, 28, 30]))  # items 31, 30, 30, 32, 33, 32
    times = np.arange(6, dtype=np.int64)
    history = replace(history, times=times)
    inputs = encoder_inputs(
        history, as_of=5, event_types=np.array([VIEW, PURCHASE], np.int8), max_length=3, order="set"
    )
    assert inputs.items.tolist() == [30, 32, 33]


def test_an_epoch_of_a_seed_is_always_the_same_and_can_be_begun_in_its_middle() -> None:
    def epoch_of(batches: SetBatches, *, epoch: int, first: int = 0) -> list[torch.Tensor]:
        batches.set_epoch(epoch, first=first)
        return [torch.cat([batch.items_BL.flatten(), batch.targets_P]) for batch in batches]

    whole = epoch_of(make_batches(), epoch=3)
    batches = make_batches()
    epoch_of(batches, epoch=0)
    later = epoch_of(batches, epoch=3, first=1)
    assert len(whole) == batches.num_batches() > 1
    assert all(torch.equal(one, other) for one, other in zip(whole[1:], later, strict=True))
    assert not torch.equal(torch.cat(whole), torch.cat(epoch_of(batches, epoch=4)))


@pytest.mark.parametrize("batch_tokens", [1, 60, 10_000])
def test_a_batch_keeps_within_its_positions(batch_tokens: int) -> None:
    sizes = [batch.items_BL.shape for batch in make_batches(batch_tokens=batch_tokens)]
    assert all(rows == 1 or rows * width <= batch_tokens for rows, width in sizes)
    assert sum(rows for rows, _ in sizes) == 4
    if batch_tokens == 10_000:
        assert len(sizes) == 1
