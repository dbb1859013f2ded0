"""A fit without epochs is its initial vectors at each split point; a model of sets learns from sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shop
import torch

from configs.exceptions import ConfigError
from configs.load import load_config
from configs.schema import Config
from features.dataset import Dataset
from features.prepare import prepare
from features.splits import split_points, targets_before
from training.encoder.fit import fit_encoders
from training.encoder.graph_filter import graph_filter_item_vectors
from training.encoder.load import load_encoder
from training.runs.run import Run

DIM = 8


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Dataset, Path]:
    folder = tmp_path_factory.mktemp("sets")
    files = shop.write_shop(folder / "raw", num_users=30)
    prepare(shop.make_config(files, folder / "workspace"), now=shop.NOW)
    return files, Dataset.open(folder / "workspace" / "dataset"), folder / "workspace"


def config_of(raw: tuple[Path, Dataset, Path], *settings: str) -> Config:
    own = (
        f"encoder.dim={DIM}",
        "encoder.model=weighted_pooling",
        "training.initial_vectors=graph_filter",
        "history.order=set",
    )
    return shop.make_config(raw[0], raw[2], *own, *settings)


def test_without_epochs_every_split_point_has_the_initial_vectors_of_its_own_past(
    raw: tuple[Path, Dataset, Path], tmp_path: Path
) -> None:
    config, dataset = config_of(raw, "training.max_epochs=0"), raw[1]
    timeline, run = split_points(dataset, config.split), Run.create(tmp_path, name="test")
    fit_encoders(dataset, timeline, config=config, run=run)
    found = []
    for point in timeline:
        users, events, _ = targets_before(dataset, point, targets=config.history.targets)
        items = torch.from_numpy(events.items.astype(np.int64))
        expected = graph_filter_item_vectors(
            torch.from_numpy(users.astype(np.int64)),
            items,
            num_items=dataset.num_items,
            dim=DIM,
            seed=config.training.seed,
        )
        encoder = load_encoder(run.folder, dataset, point=point.name, config=config)
        with torch.no_grad():
            found.append(encoder.item_vectors(torch.arange(dataset.num_items)))
        torch.testing.assert_close(found[-1], expected)
        assert run.read().fits[point.name].epochs == 0
    assert not torch.allclose(found[0], found[1])


def test_a_set_model_learns_from_sets(raw: tuple[Path, Dataset, Path], tmp_path: Path) -> None:
    steps = (
        "training.max_epochs=15",
        "training.patience=15",
        "training.learning_rate=0.01",
        "training.batch_tokens=256",
    )
    config, dataset = (
        config_of(raw, "training.initial_vectors=random", "training.refit_epochs=0", *steps),
        raw[1],
    )
    run = Run.create(tmp_path, name="test")
    fit_encoders(dataset, split_points(dataset, config.split), config=config, run=run)
    recalls = [
        line["metrics"]["validation_recall"] for line in run.curves() if line["series"] == "validation"
    ]
    assert recalls[-1] > recalls[0] + 0.1, recalls


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["training.initial_vectors=graph_filter"], "graph_filter needs encoder.model=weighted_pooling"),
        (["training.max_epochs=0", "training.initial_vectors=random"], "initial_vectors=random has"),
    ],
)
def test_initial_vectors_that_make_no_sense_are_refused(settings: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load_config(overrides=settings)
