"""A ranker with a head for each outcome: what it learns, what its probabilities are of, and its graph."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from configs.exceptions import ConfigError, TooLittleDataError
from configs.load import load_config
from configs.schema import Config
from configs.settings.recommend import DEFAULT_SURFACES, RankerConfig, SurfaceConfig
from features.core.columns import EVENT_TYPE_CODE
from features.dataset import Dataset
from features.splits import split_points
from models.ranker import RankerNetwork
from serving.recommend.pipeline import Pipeline
from serving.recommend.ranker import Ranker
from training.export.onnx_graphs import ranker_graph
from training.ranker.calibration import outcome_weights, platt, require_costs
from training.ranker.fit import train_ranker
from training.ranker.lists import RankedList, ranked_lists

OUTCOMES = {"click": 1.0, "purchase": 1.0}
Network = tuple[RankerNetwork, Callable[[int], list[RankedList]]]


def chance_of(features: np.ndarray) -> np.ndarray:
    """(C, 2) the true probabilities: clicks follow the first feature, purchases the second."""
    logits = np.stack([1.5 * features[:, 0] - 2, 1.5 * features[:, 1] - 4], axis=1)
    return np.asarray(1 / (1 + np.exp(-logits)))


@pytest.fixture(scope="module")
def learnt(shop_config: Config) -> Network:
    """A ranker of lists whose probabilities are known, and what makes more of them. Half of what nobody
    touched is left out, and the rest stands for it."""
    generator = np.random.default_rng(0)

    def one_list() -> RankedList:
        features = generator.normal(size=(60, 3)).astype(np.float32)
        had = generator.random((60, 2)) < chance_of(features)
        kept = had.any(axis=1) | (generator.random(60) < 0.5)
        stands_for = np.where(had.any(axis=1), 0, np.log(2)).astype(np.float32)
        return RankedList(features[kept], had[kept, 1], stands_for[kept], outcomes=had[kept])

    def lists(count: int) -> list[RankedList]:
        return [one_list() for _ in range(count)]

    ranker = shop_config.ranker.model_copy(update={"learning_rate": 0.02})  # few steps
    config = shop_config.model_copy(update={"ranker": ranker})
    return train_ranker(lists(600), lists(150), config, outcomes=OUTCOMES), lists  # type: ignore[arg-type]


def test_each_head_learns_its_own_outcome(learnt: Network) -> None:
    network, _ = learnt
    score, click, purchase = network(torch.eye(3)).detach().numpy().T
    assert click[0] > click[1]
    assert purchase[1] > purchase[0]
    assert score[1] > score[0]


def test_probabilities_are_what_happens_to_users_that_nobody_trained_on(learnt: Network) -> None:
    network, lists = learnt
    fresh = lists(1_000)
    said = network(torch.from_numpy(np.concatenate([one.features for one in fresh])))[:, 1:].detach().numpy()
    happened = np.concatenate([one.outcomes for one in fresh if one.outcomes is not None])
    stands_for = np.exp(np.concatenate([one.log_weight for one in fresh]))
    for place in range(2):
        for low, high in ((0, 0.02), (0.02, 0.1), (0.1, 0.3), (0.3, 0.6)):
            inside = (said[:, place] >= low) & (said[:, place] < high)
            weights = stands_for[inside]
            expected = np.average(said[inside, place], weights=weights)
            share = np.average(happened[inside, place], weights=weights)
            assert share == pytest.approx(expected, rel=0.35), (place, low)


def test_the_graph_tells_the_calibrated_probabilities(learnt: Network) -> None:
    network, lists = learnt
    features = lists(1)[0].features
    ranker = Ranker(ranker_graph(network), columns=("a", "b", "c"), outcomes=network.outcomes)
    expected = network(torch.from_numpy(features)).detach().numpy()
    np.testing.assert_allclose(ranker.outputs(features), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(ranker.scores(features), ranker.outputs(features)[:, 0])
    assert ranker.outputs(features[:0]).shape == (0, 3)
    with pytest.raises(ValueError, match="0 outcomes"):
        Ranker(ranker.graph, columns=("a", "b", "c"))


def test_platt_finds_level_and_scale_and_stays_where_little_is_known() -> None:
    generator = np.random.default_rng(1)
    logits = generator.normal(size=50_000) * 2
    had = generator.random(50_000) < 1 / (1 + np.exp(-(0.5 * logits - 2)))
    assert platt(logits, had, np.ones(50_000)) == pytest.approx((0.5, -2), abs=0.05)
    slope, offset = platt(np.array([1.0, -1.0]), np.array([False, True]), np.ones(2))
    assert slope == pytest.approx(1, abs=0.2)
    assert offset == pytest.approx(0, abs=0.2)


def test_lists_have_a_label_for_each_outcome(
    tiny_pipeline: Pipeline, shop_dataset: Dataset, shop_config: Config
) -> None:
    validation, test, _ = split_points(shop_dataset, shop_config.split)
    asked = (tiny_pipeline, shop_dataset, validation, test)
    of_one = list(ranked_lists(*asked, config=shop_config))
    of_three = list(ranked_lists(*asked, config=shop_config, outcomes=("click", "purchase")))
    assert len(of_one) == len(of_three)
    homes = [lists[0] for lists in of_three]
    assert sum(bool(one.relevant.any()) for one in homes) == sum(
        bool(lists) and lists[0].weight == 1 for lists in of_one
    )
    for one in homes:
        assert one.outcomes is not None
        np.testing.assert_array_equal(one.outcomes[:, 1], one.relevant)  # the targets are purchases
    clicked = [one.outcomes[:, 0] for one in homes if one.outcomes is not None]
    looked_at = shop_dataset.event_types == EVENT_TYPE_CODE["view_item"]
    inside = (shop_dataset.times >= validation.as_of) & (shop_dataset.times < test.as_of)
    assert 0 < sum(int(one.sum()) for one in clicked) <= (looked_at & inside).sum()
    for of_list, home in zip(clicked, homes, strict=True):
        assert not (of_list & ~home.relevant).any()  # in this shop people buy what they look at


def test_what_the_data_lacks_is_said(
    shop_dataset: Dataset, shop_config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    def settings(*weights: str) -> Config:
        home = SurfaceConfig.model_validate({"weights": dict.fromkeys(weights, 1)})
        return shop_config.model_copy(update={"surfaces": {**DEFAULT_SURFACES, "home": home}})

    assert outcome_weights(shop_config, shop_dataset) == {}
    assert outcome_weights(settings("click", "add_to_cart", "revenue"), shop_dataset) == OUTCOMES
    assert "no events of add_to_cart" in capsys.readouterr().err
    assert "add_to_cart" not in _event_types(shop_dataset)
    with pytest.raises(TooLittleDataError, match="no event of add_to_cart"):
        outcome_weights(settings("add_to_cart"), shop_dataset)
    with pytest.raises(ConfigError, match=r"surfaces\.home\.weights has margin"):
        require_costs(settings("margin"), shop_dataset)
    off = shop_config.model_copy(update={"ranker": RankerConfig(outcomes={"click": 2})})
    assert outcome_weights(off, shop_dataset) == {"click": 2.0}


def test_a_weight_of_what_the_ranker_does_not_learn_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(
        "ranker: {outcomes: {click: 1}}\nsurfaces: {home: {weights: {margin: 1}}}\n", encoding="utf-8"
    )
    with pytest.raises(ConfigError, match=r"surfaces\.home\.weights has margin.*lacks purchase"):
        load_config(tmp_path / "shop.yaml")


def _event_types(dataset: Dataset) -> set[str]:
    present = set(np.unique(dataset.event_types).tolist())
    return {name for name, code in EVENT_TYPE_CODE.items() if code in present}
