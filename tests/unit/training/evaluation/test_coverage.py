from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from configs.schema import Config
from features.dataset import Dataset
from features.splits import split_points
from serving.recommend.pipeline import Pipeline
from training.evaluation.replay import replay
from training.evaluation.systems import PIPELINE


def test_coverage_is_of_all_that_may_be_shown(
    shop_config: Config, tiny_pipeline: Pipeline, shop_dataset: Dataset
) -> None:
    """Items that never sold may be shown by a model that knows the catalogue: they count, shown or not."""
    bundle = tiny_pipeline.bundle
    more = Pipeline(replace(bundle, can_be_shown=np.ones(bundle.num_items, bool)))
    few = shop_config.evaluation.model_copy(update={"max_users": 20})
    config = shop_config.model_copy(update={"evaluation": few})
    _, test, full = split_points(shop_dataset, config.split)
    evaluation = replay(more, shop_dataset, test, full, config=config)
    num_shown, num_all = np.count_nonzero(evaluation.times_shown), int(more.bundle.recommendable.sum())
    assert num_all > int(bundle.recommendable.sum()), "the item that never sold"
    assert evaluation.coverage[PIPELINE][20] == pytest.approx(num_shown / num_all)
