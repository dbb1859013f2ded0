from __future__ import annotations

import numpy as np
import pytest
import torch

from configs.schema import Config
from features.dataset import Dataset
from features.splits import split_points, targets_between
from serving.recommend.pipeline import Pipeline
from training.ranker.fit import train_ranker
from training.ranker.lists import RankedList, ranked_lists


def test_thinned_lists_keep_what_is_relevant_and_stand_for_all_the_others(
    tiny_pipeline: Pipeline, shop_dataset: Dataset, shop_config: Config
) -> None:
    _, test, full = split_points(shop_dataset, shop_config.split)
    asked = (tiny_pipeline, shop_dataset, test, full)
    whole = [
        one for of_user in ranked_lists(*asked, config=shop_config, num_negatives=None) for one in of_user[:1]
    ]
    thin = [
        one for of_user in ranked_lists(*asked, config=shop_config, num_negatives=5) for one in of_user[:1]
    ]
    assert len(whole) == len(thin) > 10
    assert len(whole) <= len(targets_between(shop_dataset, test, full, targets=shop_config.history.targets))
    for one, other in zip(whole, thin, strict=True):
        np.testing.assert_array_equal(one.features[one.relevant], other.features[other.relevant])
        assert np.count_nonzero(~other.relevant) == min(5, np.count_nonzero(~one.relevant))
        assert not other.log_weight[other.relevant].any()
        assert np.exp(other.log_weight[~other.relevant]).sum() == pytest.approx(
            np.count_nonzero(~one.relevant), rel=1e-5
        )


def test_the_ranker_learns_what_tells_the_relevant_apart(shop_config: Config) -> None:
    chance = np.random.default_rng(0)

    def one_list() -> RankedList:
        features = chance.normal(size=(30, 3)).astype(np.float32)
        relevant = features[:, 1] - features[:, 2] > 1.5
        relevant[np.argmax(features[:, 1] - features[:, 2])] = True
        return RankedList(features, relevant, np.zeros(30, np.float32))

    network = train_ranker([one_list() for _ in range(200)], [one_list() for _ in range(20)], shop_config)
    scores = network(torch.eye(3)).detach().numpy()
    assert scores[1] > scores[0] > scores[2]
