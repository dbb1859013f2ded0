"""A search that goes deeper for later pages leaves the earlier ones as they were."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.dataset import Dataset
from serving.recommend.pipeline import Pipeline
from serving.recommend.request import Query


@pytest.mark.parametrize(("surface", "follows"), [("home", True), ("product", False)])
def test_what_suffices_for_a_page_stays_and_the_others_follow(
    tiny_pipeline: Pipeline, shop_dataset: Dataset, surface: str, follows: bool
) -> None:
    query = Query(shop_dataset.history(0), tiny_pipeline.bundle.as_of, surface)
    ranked = tiny_pipeline.rank(query)
    allowed = tiny_pipeline.allowed(query, ranked.profile)
    few = replace(ranked, items=ranked.items[5:15], scores=ranked.scores[5:15])
    enough = int(np.count_nonzero(allowed[few.items]))
    assert tiny_pipeline.deepened(query, few, allowed, page=4, whole=enough) is few
    more = tiny_pipeline.deepened(query, few, allowed, page=4, whole=enough + 1)
    if follows:
        assert more.items[: len(few.items)].tolist() == few.items.tolist()
        assert set(more.items.tolist()) >= set(ranked.items[allowed[ranked.items]].tolist())
        assert (np.diff(more.scores[: len(few.items) + 1]) <= 0).all()
    else:
        assert more is few, "what goes with the page comes first, wherever it was found"
    best = tiny_pipeline.deepened(query, few, allowed, page=enough + 1, whole=enough + 1)
    assert best.items[:3].tolist() == ranked.items[allowed[ranked.items]][:3].tolist()
