"""Lists without what the user had, as papers make them, and the metric that stops a training."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from configs.schema import Config
from features.dataset import Dataset
from features.splits import split_points, targets_between
from serving.recommend.pipeline import Pipeline
from training.encoder.fit import fit_encoders
from training.encoder.validation import ranks, validation_loader, validation_rows
from training.evaluation.replay import replay, systems_of
from training.runs.run import Run


def changed(config: Config, **settings: object) -> Config:
    """With other settings of the evaluation and the training, by their full names."""
    for name, value in settings.items():
        section, key = name.split("__")
        config = config.model_copy(update={section: getattr(config, section).model_copy(update={key: value})})
    return config


def test_the_whole_history_is_left_out_and_not_only_what_the_encoder_reads(
    shop_config: Config, shop_dataset: Dataset
) -> None:
    config = changed(shop_config, evaluation__exclude_seen=True, history__max_length=2)
    validation, test, _ = split_points(shop_dataset, config.split)
    relevant = targets_between(shop_dataset, validation, test, targets=config.history.targets)
    rows = validation_rows(shop_dataset, validation, relevant, config=config)
    assert max(len(row.excluded) for row in rows) > 2
    for row in rows:
        assert len(row.inputs.items) <= 2
        assert set(row.excluded.tolist()) == set(validation.history(shop_dataset, row.user).items.tolist())
    plain = validation_rows(shop_dataset, validation, relevant, config=shop_config)
    assert not any(len(row.excluded) for row in plain)


def test_what_is_left_out_hits_nothing_and_stands_in_nobodys_way(
    shop_config: Config, shop_dataset: Dataset
) -> None:
    validation, test, _ = split_points(shop_dataset, shop_config.split)
    config = changed(shop_config, evaluation__exclude_seen=True)
    for batch in validation_loader(shop_dataset, validation, test, config=config, max_users=10_000):
        shape = len(batch.users_B), shop_dataset.num_items
        seen_BN = torch.zeros(shape, dtype=torch.bool)
        seen_BN[batch.excluded_row_X, batch.excluded_item_X] = True
        is_seen_P = seen_BN[batch.target_row_P, batch.target_item_P]
        scores_BN = torch.where(seen_BN, 2.0, 0.0)
        scores_BN[batch.target_row_P[~is_seen_P], batch.target_item_P[~is_seen_P]] = 1.0
        rank_P = ranks(scores_BN, batch, can_be_shown_N=torch.ones(shape[1], dtype=torch.bool), depth=100)
        assert (rank_P[is_seen_P] > shape[1]).all()
        most = int(torch.bincount(batch.target_row_P).max())
        assert (rank_P[~is_seen_P] < most).all(), "all that scores more was left out"


def test_as_many_users_as_the_setting_says_are_judged(shop_config: Config, shop_dataset: Dataset) -> None:
    validation, test, _ = split_points(shop_dataset, shop_config.split)
    config = changed(shop_config, training__validation_users=7)
    users = [
        user
        for batch in validation_loader(shop_dataset, validation, test, config=config)
        for user in batch.users_B
    ]
    assert (
        len(users) <= 7 < len(targets_between(shop_dataset, validation, test, targets=config.history.targets))
    )


@pytest.mark.parametrize("monitor", ["recall", "ndcg"])
def test_the_best_of_the_metric_that_was_asked_for_is_kept(
    monitor: str, shop_config: Config, shop_dataset: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> None:
    config = changed(shop_config, training__monitor=monitor, training__refit_epochs=0)
    run = Run.create(tmp_path_factory.mktemp("runs"), name="monitor")
    fit_encoders(shop_dataset, split_points(shop_dataset, config.split), config=config, run=run)
    curve = [line["metrics"][f"validation_{monitor}"] for line in run.curves()]
    other = [
        line["metrics"]["validation_recall" if monitor == "ndcg" else "validation_ndcg"]
        for line in run.curves()
    ]
    fit = run.read().fits["validation"]
    assert getattr(fit, f"best_validation_{monitor}") == pytest.approx(max(curve))
    assert max(curve) != pytest.approx(max(other))


def test_the_replay_of_the_pipeline_leaves_it_out_too(
    shop_config: Config, shop_dataset: Dataset, tiny_pipeline: Pipeline
) -> None:
    _, test, full = split_points(shop_dataset, shop_config.split)
    config = changed(shop_config, evaluation__exclude_seen=True)
    plain = replay(tiny_pipeline, shop_dataset, test, full, config=shop_config)
    without = replay(tiny_pipeline, shop_dataset, test, full, config=config)
    assert plain.values("pipeline", part="repeat", metric="recall_20").mean() > 0
    for system in systems_of(tiny_pipeline):
        assert without.values(system, part="repeat", metric="recall_20").max() == 0, system
        new = without.values(system, part="new", metric="recall_20")
        assert np.allclose(new, plain.values(system, part="new", metric="recall_20")), system
