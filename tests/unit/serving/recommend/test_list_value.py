"""The order of a list by weights of outcomes, and by money."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hand_made_bundle import AS_OF, ITEM_IDS, write_bundle

from configs.exceptions import ArtefactError
from configs.settings.outcomes import ValueName
from configs.settings.recommend import DEFAULT_SURFACES, SurfaceConfig
from features.core.artefact import write_manifest
from features.core.columns import EVENT_TYPE_CODE
from features.histories import History
from serving.recommend.item_money import item_margins, item_prices
from serving.recommend.pipeline import Pipeline
from serving.recommend.request import Query

OUTCOMES = ("click", "purchase")
OWN = ("bread8", "bread9")


def pipeline_of(folder: Path, weights: dict[ValueName, float], **more: object) -> Pipeline:
    surfaces = {**DEFAULT_SURFACES, "home": SurfaceConfig(weights=weights)}
    return Pipeline.load(write_bundle(folder / "bundle", outcomes=OUTCOMES, surfaces=surfaces, **more))  # type: ignore[arg-type]


def shown(pipeline: Pipeline, *, num_results: int = 30) -> list[str]:
    items = np.array([ITEM_IDS.index(item) for item in OWN], np.int32)
    history = History(
        items=items,
        event_types=np.full(len(items), EVENT_TYPE_CODE["purchase"], np.int8),
        times=np.full(len(items), AS_OF - 10, np.int64),
        baskets=np.zeros(len(items), np.int64),
        prices=np.ones(len(items), np.float32),
    )
    found = pipeline.recommend(Query(history, AS_OF, num_results=num_results))
    return [ITEM_IDS[one.item] for one in found.recommendations]


def test_a_list_is_ordered_by_what_the_weights_ask_for(tmp_path: Path) -> None:
    purchases = shown(pipeline_of(tmp_path / "one", {"purchase": 1}))
    clicks = shown(pipeline_of(tmp_path / "two", {"click": 1}))
    assert set(purchases[:2]) == set(OWN)  # people buy what they bought
    assert clicks[0] == ITEM_IDS[0]  # and click on what is popular
    assert set(clicks[-2:]) == set(OWN)


def test_without_weights_the_one_score_orders_the_list(tmp_path: Path) -> None:
    of_one = Pipeline.load(write_bundle(tmp_path / "one"))
    assert shown(pipeline_of(tmp_path / "several", {})) == shown(of_one)


def test_the_score_is_the_weighted_sum_of_the_probabilities(tmp_path: Path) -> None:
    pipeline = pipeline_of(tmp_path, {"click": 0.5, "purchase": 2})
    query = Query(History.empty(), AS_OF, page_items=np.array([3], np.int32))
    known, items = pipeline.know(query), np.arange(10, dtype=np.int32)
    outputs = pipeline.outputs(query, items, known=known)
    assert outputs.shape == (10, 3)
    assert ((outputs[:, 1:] > 0) & (outputs[:, 1:] < 1)).all()
    expected = 0.5 * outputs[:, 1] + 2 * outputs[:, 2]
    np.testing.assert_allclose(pipeline.score(query, items), expected, rtol=1e-5)


def test_margin_counts_a_purchase_by_what_is_left_of_the_price(tmp_path: Path) -> None:
    costs = [0.1] * len(ITEM_IDS)
    costs[ITEM_IDS.index("bread9")] = 2.9  # its price: nothing is left
    pipeline = pipeline_of(tmp_path, {"margin": 1}, costs=costs)
    found = shown(pipeline)
    assert found[0] == "bread8"
    assert found[-1] == "bread9"


def test_an_unknown_cost_is_the_mean_share_of_the_category(tmp_path: Path) -> None:
    costs: list[float | None] = [None] * len(ITEM_IDS)
    costs[0], costs[10] = 0.5, 0.4  # shares .5 of fruit0 and .8 of bread0, which costs 2
    bundle = pipeline_of(tmp_path, {"margin": 1}, costs=costs).bundle
    prices, margins = item_prices(bundle), item_margins(bundle)
    np.testing.assert_allclose(prices[:3], [1.0, 1.1, 1.2], rtol=1e-6)
    np.testing.assert_allclose(margins[[0, 1, 10, 11, 20]], [0.5, 0.55, 1.6, 1.68, 1.95], rtol=1e-5)


def test_a_weight_of_what_the_ranker_does_not_tell_counts_nothing(tmp_path: Path) -> None:
    both = shown(pipeline_of(tmp_path / "one", {"purchase": 1, "add_to_cart": 5}))
    assert both == shown(pipeline_of(tmp_path / "two", {"purchase": 1}))


def test_a_bundle_that_names_other_outcomes_than_its_graph_tells_is_refused(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "bundle", outcomes=OUTCOMES)
    contents = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert contents["outcomes"] == ["click", "purchase"]
    for name in ("files", "fingerprint", "kind", "version", "made_from"):
        contents.pop(name, None)
    write_manifest(folder, kind="bundle", made_from="test", contents={**contents, "outcomes": []})
    with pytest.raises(ArtefactError, match="0 outcomes"):
        Pipeline.load(folder)
