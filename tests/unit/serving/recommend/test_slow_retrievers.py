from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace

import pytest

from features.dataset import Dataset
from features.retriever import ScoredItems, UserContext
from features.retrievers.user_knn import UserKNN
from serving.recommend.pipeline import Pipeline
from serving.recommend.request import Query
from serving.recommend.slow_retrievers import REST_SECONDS, SlowRetrievers
from serving.recommend.user_states import UserStates


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class SlowUserKNN(UserKNN):
    """Takes a second of the test's clock."""

    clock: Clock = Clock()  # noqa: RUF009

    def for_user(self, user: UserContext) -> ScoredItems:
        self.clock.now += 1.0
        return super().for_user(user)


def test_a_slow_retriever_is_left_out_for_a_while_and_lists_stay_full(
    tiny_pipeline: Pipeline, shop_dataset: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    table = tiny_pipeline.bundle.retrievers["user_knn"]
    slowly = SlowUserKNN(**vars(table), clock=clock)
    retrievers = {**tiny_pipeline.bundle.retrievers, "user_knn": slowly}
    pipeline = Pipeline(replace(tiny_pipeline.bundle, retrievers=retrievers))
    slow = SlowRetrievers(deadline_seconds=0.5, clock=clock)
    states = UserStates(pipeline, max_bytes=10**9, max_age_seconds=300, slow=slow)
    history = shop_dataset.history(1)
    query = Query(history, pipeline.bundle.as_of + 1, user="u1", num_results=10)

    full = states.recommend(query)  # the list that meets it is late
    assert slow.resting == ("user_knn",)
    assert "user_knn took 1000 ms, over its deadline of 500 ms" in caplog.text
    assert caplog.records[0].levelno == logging.WARNING
    assert states.num_bytes == 0, "what lacks a retriever is not kept"

    at = clock.now
    without = states.recommend(query)
    assert clock.now == at, "it is not asked"
    assert len(without.recommendations) == len(full.recommendations) == 10

    clock.now += REST_SECONDS
    assert not slow.resting
    assert states.recommend(query) == full, "it is asked again"


def test_warming_up_may_take_as_long_as_it_needs(tiny_pipeline: Pipeline, shop_dataset: Dataset) -> None:
    clock = Clock()
    slowly = SlowUserKNN(**vars(tiny_pipeline.bundle.retrievers["user_knn"]), clock=clock)
    retrievers = {**tiny_pipeline.bundle.retrievers, "user_knn": slowly}
    pipeline = Pipeline(replace(tiny_pipeline.bundle, retrievers=retrievers))
    slow = SlowRetrievers(deadline_seconds=0.5, clock=clock)
    states = UserStates(pipeline, max_bytes=10**9, max_age_seconds=300, slow=slow)
    query = Query(shop_dataset.history(1), pipeline.bundle.as_of + 1, user="u1", num_results=10)
    with states.without_deadline():
        states.recommend(query)
    assert not slow.resting
    states.recommend(replace(query, user="u2"))
    assert slow.resting == ("user_knn",), "and the deadline holds again afterwards"


def test_a_quick_retriever_is_never_left_out(tiny_pipeline: Pipeline, shop_dataset: Dataset) -> None:
    slow = SlowRetrievers(deadline_seconds=5, clock=time.perf_counter)
    states = UserStates(tiny_pipeline, max_bytes=10**9, max_age_seconds=300, slow=slow)
    query = Query(shop_dataset.history(2), tiny_pipeline.bundle.as_of + 1, user="u2", num_results=5)
    assert states.recommend(query) == tiny_pipeline.recommend(query)
    assert slow.resting == ()
    assert states.num_bytes > 0
