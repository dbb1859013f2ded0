from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.dataset import Dataset
from serving.recommend.candidates import KnownUser
from serving.recommend.list_options import ListOptions
from serving.recommend.pipeline import Pipeline
from serving.recommend.request import Query
from serving.recommend.slow_retrievers import SlowRetrievers
from serving.recommend.user_states import UserStates

SECOND = 1_000_000
KEPT_SECONDS = 300


class Counting(Pipeline):
    """Counts how often a user is looked at anew."""

    times = 0

    def know(self, query: Query, *, slow: SlowRetrievers | None = None) -> KnownUser:
        self.times += 1
        return super().know(query, slow=slow)


@pytest.fixture
def pipeline(tiny_pipeline: Pipeline) -> Counting:
    counting = Counting(tiny_pipeline.bundle)
    counting.times = 0
    return counting


def query_of(dataset: Dataset, user: int, pipeline: Pipeline) -> Query:
    return Query(dataset.history(user), pipeline.bundle.as_of + SECOND, user=f"u{user}", num_results=5)


def states_of(pipeline: Pipeline, *, max_bytes: int = 10**9) -> UserStates:
    return UserStates(pipeline, max_bytes=max_bytes, max_age_seconds=KEPT_SECONDS)


@pytest.mark.parametrize("surface", ["home", "product", "similar", "cart", "buy_again"])
def test_lists_are_those_of_the_moment_of_the_state(
    pipeline: Counting, shop_dataset: Dataset, surface: str
) -> None:
    states = states_of(pipeline)
    for user in range(8):
        first = replace(query_of(shop_dataset, user, pipeline), surface=surface)
        expected = pipeline.recommend(first)
        page = replace(first, page_items=np.array([3], np.int32))
        assert states.recommend(first) == expected
        before = pipeline.times
        assert states.recommend(replace(first, as_of=first.as_of + 299 * SECOND)) == expected
        assert states.recommend(replace(page, as_of=first.as_of + 9 * SECOND)) == pipeline.recommend(page)
        assert pipeline.times == before + 1  # the plain pipeline's own
        shorter = replace(first, num_results=2)
        assert states.recommend(shorter) == pipeline.recommend(shorter)


def test_an_event_and_age_end_a_state(pipeline: Counting, shop_dataset: Dataset) -> None:
    states, query = states_of(pipeline), query_of(shop_dataset, 1, pipeline)
    states.recommend(query)
    later = replace(query, as_of=query.as_of + (KEPT_SECONDS + 1) * SECOND)
    assert states.recommend(later) == pipeline.recommend(later)
    before = pipeline.times
    touched = replace(later, history=query.history.take(slice(0, -1)))
    assert states.recommend(touched) == pipeline.recommend(touched)
    assert pipeline.times == before + 2
    # a clock that was put back does not find a state of the future
    earlier = replace(touched, as_of=query.as_of)
    assert states.recommend(earlier) == pipeline.recommend(earlier)


def test_memory_is_bounded_and_the_least_recently_used_go_first(
    pipeline: Counting, shop_dataset: Dataset
) -> None:
    one = states_of(pipeline)
    one.recommend(query_of(shop_dataset, 0, pipeline))
    states = states_of(pipeline, max_bytes=4 * one.num_bytes)
    for user in range(12):
        states.recommend(query_of(shop_dataset, user, pipeline))
        states.recommend(query_of(shop_dataset, 0, pipeline))
        assert 0 < states.num_bytes <= 4 * one.num_bytes
        assert 0 < len(states) <= 12
    before = pipeline.times
    states.recommend(query_of(shop_dataset, 0, pipeline))
    assert pipeline.times == before + 1  # each call of `history` makes a new object, as after an event
    none = states_of(pipeline, max_bytes=0)
    none.recommend(query_of(shop_dataset, 0, pipeline))
    assert (none.num_bytes, len(none)) == (0, 0)


def test_strangers_share_nothing(pipeline: Counting, shop_dataset: Dataset) -> None:
    states = states_of(pipeline)
    query = replace(query_of(shop_dataset, 2, pipeline), user=None)
    assert states.recommend(query) == pipeline.recommend(query)
    assert states.num_bytes == 0


def test_a_later_page_is_made_at_its_own_moment_and_leaves_the_state_alone(
    pipeline: Counting, shop_dataset: Dataset
) -> None:
    states, now = states_of(pipeline), pipeline.bundle.as_of + 60 * SECOND
    query = Query(shop_dataset.history(0), now, user="someone")
    states.recommend(query)
    later = replace(query, as_of=now - 5 * SECOND, options=ListOptions(is_pinned=True))
    assert states.recommend(later) == pipeline.recommend(later)
    assert states.recommend(later).as_of == now - 5 * SECOND
    times = pipeline.times
    assert states.recommend(query).as_of == now
    assert states.recommend(replace(later, as_of=now)).as_of == now
    assert pipeline.times == times, "the state of now serves both"
