"""What the ranker reads of the user, worked out from the events by hand."""

from __future__ import annotations

import numpy as np
import pytest

from features.core.columns import EVENT_TYPE_CODE, MICROSECONDS_PER_DAY
from features.dataset import Dataset
from features.histories import History
from serving.recommend.pipeline import Pipeline
from serving.recommend.request import Query


def test_the_ranker_reads_how_lately_how_often_and_for_how_much(
    tiny_pipeline: Pipeline, shop_dataset: Dataset
) -> None:
    history, as_of = shop_dataset.history(3), int(shop_dataset.times.max()) + 1
    candidates, *_ = tiny_pipeline.candidates(Query(history=history, as_of=as_of))
    bought = history.event_types == EVENT_TYPE_CODE["purchase"]
    days = (as_of - history.times[bought]) / MICROSECONDS_PER_DAY
    expected = {
        "user_recency": days.min(),
        "user_tenure": days.max(),
        "user_frequency": bought.sum(),
        "user_money": history.prices[bought].sum(),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(candidates.feature(name), np.log1p(value), rtol=1e-5, err_msg=name)
    counts = np.bincount(shop_dataset.categories[history.items[bought]])
    assert np.sort(counts)[-1] > np.sort(counts)[-2]
    is_favourite = shop_dataset.categories[candidates.items] == counts.argmax()
    assert 0 < is_favourite.sum() < len(is_favourite)
    np.testing.assert_array_equal(candidates.feature("is_favourite_category"), is_favourite)


@pytest.mark.parametrize(
    "name", ["user_recency", "user_frequency", "user_money", "user_tenure", "is_favourite_category"]
)
def test_of_a_stranger_it_reads_zeros(tiny_pipeline: Pipeline, shop_dataset: Dataset, name: str) -> None:
    candidates, *_ = tiny_pipeline.candidates(
        Query(history=History.empty(), as_of=int(shop_dataset.times.max()) + 1)
    )
    assert len(candidates.items)
    assert not candidates.feature(name).any()
