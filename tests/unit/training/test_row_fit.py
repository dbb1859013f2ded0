"""Fits with sparse updates of the item table: when they are used, with every type of table, and in bf16."""

from __future__ import annotations

from pathlib import Path

import pytest
import shop
import torch

import training.encoder.optimizer
from configs.schema import Config
from configs.settings.encoder import EncoderConfig, TrainingConfig
from features.dataset import Dataset
from features.splits import split_points
from models.data_shape import DataShape
from models.factory import build_encoder
from training.encoder.fit import fit_encoders
from training.encoder.load import load_encoder
from training.encoder.optimizer import ROWS_FROM, build_optimizer
from training.runs.run import Run

TABLES = ["encoder.items=id", "encoder.items=features", "encoder.normalize=true"]


@pytest.fixture
def every_catalogue_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training.encoder.optimizer, "ROWS_FROM", 1)


@pytest.mark.parametrize("items", ["id", "features"])
@pytest.mark.parametrize("normalize", [False, True])
def test_only_a_sampled_loss_over_a_large_catalogue_updates_rows(items: str, normalize: bool) -> None:
    config = EncoderConfig.model_validate({"items": items, "normalize": normalize, "dim": 4, "num_heads": 2})
    for num_items, loss, expected in [
        (ROWS_FROM, "sampled_softmax", True),
        (ROWS_FROM, "in_batch_softmax", True),
        (ROWS_FROM, "gbce", True),
        (ROWS_FROM, "full_softmax", False),
        (ROWS_FROM - 1, "sampled_softmax", False),
    ]:
        codes = torch.arange(num_items)[:, None] % 3
        encoder = build_encoder(
            config, DataShape(num_items, max_length=5, item_content=codes, item_content_sizes=(3,))
        )
        build_optimizer(encoder, TrainingConfig.model_validate({"loss": loss}))
        torch.autograd.backward(encoder.item_vectors(torch.arange(3)).square().sum())
        sparse = {
            weight.grad.is_sparse
            for weight in encoder.parameters()
            if weight.grad is not None and len(weight) == num_items
        }
        assert sparse == {expected}


@pytest.mark.usefixtures("every_catalogue_is_large")
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_it_learns(
    prepared_shop: Path, shop_dataset: Dataset, tmp_path: Path, table: str, precision: str, device: str
) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("this machine has no CUDA GPU")
    settings = (table, f"training.precision={precision}", f"training.device={device}")
    run, config = fitted(prepared_shop, shop_dataset, tmp_path, *settings)
    losses = [line["metrics"]["loss"] for line in run.curves() if line["series"] == "validation"]
    assert losses[-1] < 0.95 * losses[0]
    encoder = load_encoder(run.folder, shop_dataset, point="full", config=config)
    assert torch.isfinite(encoder.item_vectors(torch.arange(shop_dataset.num_items))).all()


def fitted(prepared_shop: Path, dataset: Dataset, folder: Path, *overrides: str) -> tuple[Run, Config]:
    raw = prepared_shop.parent / "raw"
    epochs = (
        "training.batch_tokens=512",
        "training.max_epochs=4",
        "training.patience=4",
        "training.learning_rate=0.01",
    )
    config = shop.make_config(raw, prepared_shop, *epochs, *overrides)
    run = Run.create(folder, name="test")
    fit_encoders(dataset, split_points(dataset, config.split), config=config, run=run)
    return run, config
