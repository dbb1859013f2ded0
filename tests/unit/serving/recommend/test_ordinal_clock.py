"""Without times (`data.clock: ordinal`) the server has what training had, whatever its own clock says."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hand_made_bundle import write_bundle
from random_shop import Row, as_history, fitted_pipeline, shop_rows

from serving.recommend.bundle import Bundle
from serving.recommend.pipeline import Pipeline
from serving.recommend.request import Query


def in_order(rows: list[list[Row]]) -> list[list[Row]]:
    """The rows with their place in the file in place of times, as `prepare` reads them."""
    flat = sorted((row[0], user, row) for user, of_user in enumerate(rows) for row in of_user)
    found: list[list[Row]] = [[] for _ in rows]
    for number, (_, user, row) in enumerate(flat):
        found[user].append((number, *row[1:]))
    return found


@pytest.fixture(scope="module")
def rows() -> list[list[Row]]:
    return in_order(shop_rows())


@pytest.fixture(scope="module")
def pipeline(rows: list[list[Row]], tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    bundle = Bundle.open(write_bundle(tmp_path_factory.mktemp("bundle") / "bundle"))
    return fitted_pipeline(bundle, rows, as_of=sum(map(len, rows)), has_times=False)


def test_columns_lists_and_reasons_are_those_of_training(pipeline: Pipeline, rows: list[list[Row]]) -> None:
    now = time.time_ns() // 1000
    for user in rows[:25]:
        history = as_history(user)
        for surface in ("home", "buy_again"):
            then = Query(history, pipeline.bundle.as_of, surface)
            live = Query(history, now, surface)
            expected, _ = pipeline.candidates(then)
            found, _ = pipeline.candidates(live)
            assert found.items.tolist() == expected.items.tolist()
            np.testing.assert_array_equal(found.features, expected.features)
            answer = pipeline.recommend(live)
            assert answer == pipeline.recommend(then)
            texts = [reason.text for one in answer.recommendations for reason in one.reasons]
            assert not [text for text in texts if " ago" in text or "lately" in text or "last" in text]


def test_what_was_bought_most_often_comes_first(pipeline: Pipeline) -> None:
    """Wherever it stands in the catalogue."""
    history = as_history([(place, "purchase", item) for place, item in enumerate([2, 9, 9, 9, 5, 5])])
    known = pipeline.know(Query(history, time.time_ns() // 1000))
    assert pipeline.alone("repurchase", known, count=3).tolist() == [9, 5, 2]
    (first, *_) = pipeline.recommend(
        Query(history, time.time_ns() // 1000, surface="buy_again")
    ).recommendations
    assert (first.item, first.reasons[0].text) == (9, "Bought 3 times")
