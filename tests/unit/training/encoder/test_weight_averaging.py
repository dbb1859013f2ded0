"""The running mean of the weights against its sum written out, and where it stands in for the weights."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import shop
import torch
from torch import Tensor, nn

from features.dataset import Dataset
from features.splits import split_points
from training.encoder.fit import fit_encoders
from training.encoder.weight_averaging import WeightAverage
from training.runs.run import Run

TRAINER: Any = None
"""The callback asks nothing of it."""


def set_weights(encoder: nn.Linear, values: Tensor) -> None:
    with torch.no_grad():
        encoder.weight.copy_(values)


def test_the_mean_fades_and_stands_in_while_it_is_judged() -> None:
    steps = torch.randn(30, 2, 3, generator=torch.Generator().manual_seed(0))
    encoder = nn.Linear(3, 2)
    module = SimpleNamespace(encoder=encoder)
    average = WeightAverage(decay=0.8)
    set_weights(encoder, steps[0])
    average.on_fit_start(TRAINER, module)
    mean = steps[0].clone()
    for number, values in enumerate(steps[1:], start=1):
        set_weights(encoder, values)
        average.on_train_batch_end(TRAINER, module, None, None, 0)
        lives_on = min(0.8, (1 + number) / (10 + number))
        mean = lives_on * mean + (1 - lives_on) * values
    average.on_validation_start(TRAINER, module)
    torch.testing.assert_close(encoder.weight.detach(), mean)
    average.on_train_epoch_end(TRAINER, module)
    torch.testing.assert_close(encoder.weight.detach(), steps[-1])
    average.finish(module)
    torch.testing.assert_close(encoder.weight.detach(), mean)


def test_a_fit_is_judged_by_the_mean_and_keeps_it(
    prepared_shop: Path, shop_dataset: Dataset, tmp_path: Path
) -> None:
    """The steps do not depend on the mean: the same losses, other recalls, other weights in the end; refits
    likewise."""
    runs = {}
    for decay in (0.0, 0.9):
        small = (
            "training.max_epochs=2",
            "training.patience=5",
            "training.batch_tokens=512",
            "training.refit_epochs=0",
        )
        config = shop.make_config(
            prepared_shop.parent / "raw",
            prepared_shop,
            *small,
            "training.learning_rate=0.02",
            f"training.weight_averaging={decay}",
        )
        run = runs[decay] = Run.create(tmp_path / str(decay), name="test")
        fit_encoders(shop_dataset, split_points(shop_dataset, config.split), config=config, run=run)
    losses, recalls = (
        {decay: [line["metrics"][name] for line in run.curves()] for decay, run in runs.items()}
        for name in ("loss", "validation_ndcg")
    )
    assert losses[0.0] == pytest.approx(losses[0.9], abs=1e-6)
    assert recalls[0.0] != recalls[0.9]
    weights = [torch.load(run.folder / "encoder-full.pt", weights_only=True) for run in runs.values()]
    assert any(not torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
