"""Co-occurrence with many pairs: block by block, and without one-item baskets."""

from __future__ import annotations

import numpy as np
import pytest

from features.core.columns import EVENT_TYPE_CODE
from features.histories import History
from features.profiles import item_neighbours as cooccurrence
from features.profiles.item_neighbours import MAX_BASKET, Neighbours, basket_neighbours, next_neighbours

NUM_ITEMS = MAX_BASKET + 50


def events_of(baskets: list[list[int]]) -> tuple[np.ndarray, History]:
    """One user's baskets, a microsecond apart."""
    number = np.repeat(np.arange(len(baskets)), [len(basket) for basket in baskets])
    return np.zeros(len(number), np.int32), History(
        items=np.concatenate(baskets).astype(np.int32),
        event_types=np.full(len(number), EVENT_TYPE_CODE["purchase"], np.int8),
        times=number.astype(np.int64),
        baskets=number.astype(np.int64),
        prices=np.ones(len(number), np.float32),
    )


def fit(baskets: list[list[int]]) -> tuple[Neighbours, Neighbours]:
    users, events = events_of(baskets)
    together = basket_neighbours(events, num_items=NUM_ITEMS, as_of=10**9, num_neighbours=4)
    return together, next_neighbours(
        users, events, num_items=NUM_ITEMS, as_of=10**9, num_neighbours=4, days=1
    )


@pytest.mark.parametrize("pairs_at_once", [1, 40])
def test_blocks_of_any_size_give_the_same(monkeypatch: pytest.MonkeyPatch, pairs_at_once: int) -> None:
    generator = np.random.default_rng(0)
    baskets = [generator.integers(0, 30, 5).tolist() for _ in range(200)]
    whole = fit(baskets)
    monkeypatch.setattr(cooccurrence, "PAIRS_AT_ONCE", pairs_at_once)
    for one, other in zip(whole, fit(baskets), strict=True):
        assert (one.items >= 0).any()
        np.testing.assert_array_equal(one.items, other.items)
        np.testing.assert_array_equal(one.scores, other.scores)


def test_a_delivery_of_everything_is_no_basket() -> None:
    full = list(range(MAX_BASKET + 1))
    plain = fit([[1, 2], [1, 2], [1, 2]])
    mixed = fit([[1, 2], [1, 2], [1, 2], full, full])
    for one, other in zip(plain, mixed, strict=True):
        np.testing.assert_array_equal(one.items, other.items)
        np.testing.assert_array_equal(one.scores, other.scores)
    largest, _ = fit([full[:-1]] * 2)
    assert (largest.items[:MAX_BASKET] >= 0).all()
