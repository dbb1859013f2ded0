"""What stands in the catalogue alone: known to the shop, and never recommended by a model that learns items
from events."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shop

from features.core.columns import EVENT_TYPE_CODE
from features.dataset import Dataset
from features.histories import History
from serving.recommend.pipeline import Pipeline
from serving.recommend.request import Query


@pytest.fixture
def untouched(tiny_pipeline: Pipeline, shop_dataset: Dataset) -> int:
    """The index of an item without any event."""
    index = tiny_pipeline.bundle.item_index[shop.NEVER_SOLD[0]]
    assert not (shop_dataset.items == index).any()
    return index


def test_it_comes_after_the_items_with_events_and_is_not_recommendable(
    tiny_pipeline: Pipeline, untouched: int
) -> None:
    assert untouched == len(shop.ITEM_IDS) - 1
    assert not tiny_pipeline.bundle.recommendable[untouched]


def test_its_page_is_full_and_nobody_is_shown_it(
    tiny_pipeline: Pipeline, shop_dataset: Dataset, untouched: int
) -> None:
    now = int(shop_dataset.times.max()) + 1
    page = np.array([untouched], np.int32)
    for history in (History.empty(), shop_dataset.history(0)):
        for surface in ("home", "product"):
            answer = tiny_pipeline.recommend(
                Query(
                    history=history,
                    as_of=now,
                    surface=surface,
                    page_items=page,
                    num_results=len(shop.ITEM_IDS),
                )
            )
            shown = [one.item for one in answer.recommendations]
            assert len(shown) == tiny_pipeline.bundle.recommendable.sum()
            assert untouched not in shown


def test_a_look_at_it_leaves_the_list_finite(
    tiny_pipeline: Pipeline, shop_dataset: Dataset, untouched: int
) -> None:
    history = shop_dataset.history(0)
    now = int(history.times[-1]) + 60_000_000
    view = replace(
        history.take(slice(0, 1)),
        items=np.array([untouched], np.int32),
        event_types=np.array([EVENT_TYPE_CODE["view_item"]], np.int8),
        times=np.array([now - 1]),
        baskets=np.array([-1]),
    )
    ranked = tiny_pipeline.rank(Query(history=history.followed_by(view), as_of=now))
    assert np.isfinite(ranked.scores).all()
    assert untouched not in ranked.items
