"""The exponential moving average of the weights, against the recurrence written out, and where it is used."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import shop
import torch
from torch import Tensor, nn

import training.encoder.fit
from features.dataset import Dataset
from features.splits import split_points
from training.encoder.fit import fit_encoders
from training.encoder.weight_averaging import ExponentialMovingAverage
from training.runs.run import Run

TRAINER: Any = None
"""The callback does not use it."""


def set_weights(encoder: nn.Linear, values: Tensor) -> None:
    with torch.no_grad():
        encoder.weight.copy_(values)


def take_steps(average: ExponentialMovingAverage, module: Any, weights: Tensor) -> None:
    for values in weights:
        set_weights(module.encoder, values)
        average.on_train_batch_end(TRAINER, module, None, None, 0)


def test_the_average_decays_and_validation_runs_on_it() -> None:
    initial, *steps = weights = torch.randn(30, 2, 3, generator=torch.Generator().manual_seed(0))
    encoder = nn.Linear(3, 2)
    set_weights(encoder, initial)
    module = SimpleNamespace(encoder=encoder, device=torch.device("cpu"))
    average = ExponentialMovingAverage(encoder, decay=0.8)
    average.on_fit_start(TRAINER, module)
    take_steps(average, module, weights[1:])
    expected = initial
    for number, values in enumerate(steps, start=1):
        decay = min(0.8, (1 + number) / (10 + number))
        expected = decay * expected + (1 - decay) * values
    average.on_validation_start(TRAINER, module)
    torch.testing.assert_close(module.encoder.weight.detach(), expected)
    assert not module.encoder.training
    average.on_validation_end(TRAINER, module)
    assert module.encoder is encoder
    assert torch.equal(encoder.weight.detach(), weights[-1])
    torch.testing.assert_close(average.encoder.state_dict()["weight"], expected)


def test_a_restored_average_continues_bit_for_bit() -> None:
    """Also in its warm-up, which depends on the number of steps."""
    weights = torch.randn(6, 2, 3, generator=torch.Generator().manual_seed(1))
    modules = [SimpleNamespace(encoder=nn.Linear(3, 2)) for _ in range(2)]
    whole, resumed = (ExponentialMovingAverage(module.encoder, decay=0.9) for module in modules)
    take_steps(whole, modules[0], weights[:3])
    resumed.load_state_dict(whole.state_dict())
    take_steps(whole, modules[0], weights[3:])
    take_steps(resumed, modules[1], weights[3:])
    assert torch.equal(whole.encoder.state_dict()["weight"], resumed.encoder.state_dict()["weight"])


def fitted(prepared_shop: Path, dataset: Dataset, folder: Path, *settings: str) -> Run:
    small = (
        "training.max_epochs=2",
        "training.patience=5",
        "training.batch_tokens=512",
        "training.learning_rate=0.02",
    )
    config = shop.make_config(prepared_shop.parent / "raw", prepared_shop, *small, *settings)
    run = Run.create(folder, name="test")
    fit_encoders(dataset, split_points(dataset, config.split), config=config, run=run)
    return run


def weights_of(run: Run, point: str) -> dict[str, Tensor]:
    found: dict[str, Tensor] = torch.load(run.folder / f"encoder-{point}.pt", weights_only=True)
    return found


def test_a_fit_validates_and_keeps_the_average(
    prepared_shop: Path, shop_dataset: Dataset, tmp_path: Path
) -> None:
    """The steps do not depend on the average: the same losses, but other recalls and other final weights."""
    runs = [
        fitted(
            prepared_shop,
            shop_dataset,
            tmp_path / str(decay),
            "training.refit_epochs=0",
            f"training.weight_averaging={decay}",
        )
        for decay in (0.0, 0.9)
    ]
    losses, recalls = (
        [[line["metrics"][name] for line in run.curves()] for run in runs]
        for name in ("loss", "validation_ndcg")
    )
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)
    assert recalls[0] != recalls[1]
    plain, averaged = (weights_of(run, "full") for run in runs)
    assert any(not torch.equal(plain[name], averaged[name]) for name in plain)


def test_a_refit_without_validation_ends_with_the_average(
    prepared_shop: Path, shop_dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[ExponentialMovingAverage] = []

    def recorded(*arguments: Any, **options: Any) -> ExponentialMovingAverage:
        made.append(ExponentialMovingAverage(*arguments, **options))
        return made[-1]

    monkeypatch.setattr(training.encoder.fit, "ExponentialMovingAverage", recorded)
    settings = "training.refit_epochs=1", "training.weight_averaging=0.9"
    run = fitted(prepared_shop, shop_dataset, tmp_path, *settings)
    _, of_refit, _ = made
    expected, found = of_refit.encoder.state_dict(), weights_of(run, "test")
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in found)
