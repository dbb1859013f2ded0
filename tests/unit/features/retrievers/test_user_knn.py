from __future__ import annotations

import math
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.core.columns import MICROSECONDS_PER_DAY
from features.histories import History
from features.retrievers import user_knn as module
from features.retrievers.user_knn import UserKNN

NUM_ITEMS = 7
AS_OF = 20 * MICROSECONDS_PER_DAY

Rows = list[tuple[int, int, int]]
"""(user, day, item)"""
rows_of_events = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 19), st.integers(0, NUM_ITEMS - 1)), max_size=40
)


def events_of(rows: Rows) -> tuple[np.ndarray, History]:
    rows = sorted(rows)
    times = np.array([day * MICROSECONDS_PER_DAY for _, day, _ in rows], np.int64)
    items = np.array([item for _, _, item in rows], np.int32)
    events = History(items, np.zeros(len(rows), np.int8), times, times, np.ones(len(rows), np.float32))
    return np.array([person for person, _, _ in rows], np.int32), events


def fitted(rows: Rows, *, days: float | None) -> UserKNN:
    keys = [f"u{user}" for user in range(5)]
    return UserKNN.from_events(*events_of(rows), num_items=NUM_ITEMS, as_of=AS_OF, days=days, keys=keys)


def slow_scores(
    rows: Rows, own: dict[int, int], *, days: int, num_neighbours: int, user: int | None
) -> dict[int, float]:
    counts: dict[int, Counter[int]] = defaultdict(Counter)
    for person, _, item in rows:
        counts[person][item] += 1
    idf = {
        item: math.log((1 + len(counts)) / sum(item in one for one in counts.values())) for _, _, item in rows
    }

    def vector(of: dict[int, int]) -> dict[int, float]:
        return {item: math.log1p(count) * idf.get(item, 0.0) for item, count in of.items()}

    likeness = {}
    for person, one in counts.items():
        other = vector(one)
        length = math.sqrt(sum(value**2 for value in other.values()))
        likeness[person] = sum(vector(own).get(item, 0.0) * value for item, value in other.items()) / max(
            length, 1e-9
        )
    nearest = [
        person
        for person in sorted(likeness, key=lambda one: -likeness[one])[:num_neighbours]
        if likeness[person] > 0 and person != user
    ]
    total = sum(likeness[person] for person in nearest)
    scores: dict[int, float] = defaultdict(float)
    for person in nearest:
        for item in {item for who, day, item in rows if who == person and day >= 20 - days} - set(own):
            scores[item] += likeness[person] / total
    return scores


@given(
    rows_of_events,
    st.dictionaries(st.integers(0, NUM_ITEMS - 1), st.integers(1, 3), max_size=4),
    st.none() | st.integers(0, 6),
)
@settings(max_examples=80)
def test_scores_are_what_the_nearest_users_had_lately_and_the_user_has_not(
    rows: Rows, own: dict[int, int], user: int | None
) -> None:
    """Of the others: a user of the table (0 to 4) is none of their own neighbours."""
    table = fitted(rows, days=6)
    items = np.array(sorted(own), np.int32)
    key = None if user is None else f"u{user}"
    scored = table.scored(items, np.array([own[item] for item in sorted(own)], np.int64), user=key)
    found, scores = scored.items, scored.scores
    expected = slow_scores(rows, own, days=6, num_neighbours=200, user=user)
    assert found.tolist() == sorted(item for item, score in expected.items() if score > 0)
    assert scores.tolist() == pytest.approx([expected[item] for item in found.tolist()], rel=1e-4)


def test_only_the_nearest_and_only_those_seen_last_count(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(0, 15, 0), (0, 15, 1), (1, 16, 0), (1, 16, 1), (1, 16, 2), (2, 17, 0), (2, 17, 3), (3, 18, 6)]
    mine = np.array([0, 1], np.int32), np.array([1, 1])
    table = fitted(rows, days=6)
    assert table.scored(*mine).items.tolist() == [2, 3]
    monkeypatch.setattr(module, "NUM_NEIGHBOURS", 2)
    assert table.scored(*mine).items.tolist() == [2]
    monkeypatch.setattr(module, "MAX_USERS", 2)
    kept = fitted(rows, days=6)
    assert kept.recent.shape == (2, NUM_ITEMS)
    assert kept.recent.indices.tolist() == [0, 3, 6]


def test_a_stranger_is_like_nobody() -> None:
    table = fitted([(0, 15, 0), (1, 16, 1)], days=None)
    found = table.scored(np.empty(0, np.int32), np.empty(0, np.int64))
    assert len(found.items) == len(found.scores) == 0
