"""Real fits of a tiny encoder on a tiny shop."""

from __future__ import annotations

import re
import shutil
import time
from collections import Counter
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import shop
import torch

from configs.exceptions import TooLittleDataError, TrainingError
from configs.schema import Config
from configs.settings.encoder import EncoderConfig
from features.dataset import Dataset
from features.prepare import prepare
from features.splits import split_points
from training.encoder.batches import Batch
from training.encoder.fit import fit_encoders
from training.encoder.load import load_encoder
from training.encoder.module import EncoderModule
from training.encoder.time_limit import TimeBudget
from training.runs.record import FitSummary, RunRecord
from training.runs.run import DATASET_FILES, Run

SPLIT_POINTS = ("validation", "test", "full")


@pytest.fixture(scope="module")
def small_shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Dataset]:
    """(folder of the files, dataset) of 30 customers."""
    raw = shop.write_shop(tmp_path_factory.mktemp("small") / "raw", num_users=30)
    config = shop.make_config(raw, raw.parent / "workspace")
    prepare(config, now=shop.NOW)
    return raw, Dataset.open(config.workspace / "dataset")


def train(small_shop: tuple[Path, Dataset], folder: Path, *overrides: str) -> tuple[Run, Config]:
    raw, dataset = small_shop
    config = shop.make_config(raw, folder, "training.max_epochs=1", *overrides)
    run = Run.create(folder, name="test")
    fit_encoders(dataset, split_points(dataset, config.split), config=config, run=run)
    return run, config


def item_vectors(small_shop: tuple[Path, Dataset], run: Run, config: Config, point: str) -> torch.Tensor:
    encoder = load_encoder(run.folder, small_shop[1], point=point, config=config)
    assert not encoder.training
    return encoder.item_vectors(torch.arange(small_shop[1].num_items)).detach()


def test_there_is_an_encoder_for_each_split_point_and_a_seed_gives_the_same_one(
    small_shop: tuple[Path, Dataset], tmp_path: Path
) -> None:
    first, config = train(small_shop, tmp_path / "first")
    second, _ = train(small_shop, tmp_path / "second")
    other, _ = train(small_shop, tmp_path / "other", "training.seed=1")
    vectors = {point: item_vectors(small_shop, first, config, point) for point in SPLIT_POINTS}
    for point in SPLIT_POINTS:
        assert torch.equal(vectors[point], item_vectors(small_shop, second, config, point))
        assert not torch.equal(vectors[point], item_vectors(small_shop, other, config, point))
    assert not torch.equal(vectors["validation"], vectors["full"])
    assert sorted(path.name for path in first.folder.glob("*encoder*")) == sorted(
        f"encoder-{point}.pt" for point in SPLIT_POINTS
    )
    assert not list(first.folder.glob("*.ckpt"))


def test_training_makes_the_loss_fall_and_the_curves_say_so(
    small_shop: tuple[Path, Dataset], tmp_path: Path
) -> None:
    run, _ = train(
        small_shop, tmp_path, "training.max_epochs=4", "training.patience=4", "training.loss=full_softmax"
    )
    losses = [line["metrics"]["loss"] for line in run.curves() if line["series"] == "validation"]
    assert len(losses) == 4
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.9 * losses[0]
    fits = run.read().fits
    assert set(fits) == set(SPLIT_POINTS)
    recalls = [
        line["metrics"]["validation_recall"] for line in run.curves() if line["series"] == "validation"
    ]
    assert fits["validation"].best_validation_recall == pytest.approx(max(recalls))


def test_without_refitting_every_split_point_has_the_first_weights(
    small_shop: tuple[Path, Dataset], tmp_path: Path
) -> None:
    run, config = train(small_shop, tmp_path, "training.refit_epochs=0")
    first, *later = (item_vectors(small_shop, run, config, point) for point in SPLIT_POINTS)
    assert all(torch.equal(first, other) for other in later)


def test_a_warm_start_begins_with_the_weights_of_another_run(
    small_shop: tuple[Path, Dataset], tmp_path: Path
) -> None:
    """With a step of almost nothing the weights before the validation window are those of that run."""
    _, dataset = small_shop
    first, config = train(small_shop, tmp_path)
    for name in DATASET_FILES:
        shutil.copyfile(dataset.folder / name, first.folder / name)
    still = config.model_copy(
        update={"training": config.training.model_copy(update={"learning_rate": 1e-12})}
    )
    runs = {}
    for origin in (first.name, None):
        runs[origin] = Run.create(tmp_path, name="again")
        runs[origin].update(warm_started_from=origin)
        fit_encoders(dataset, split_points(dataset, config.split), config=still, run=runs[origin])
    before, warm, cold = (
        item_vectors(small_shop, run, config, "validation") for run in (first, runs[first.name], runs[None])
    )
    assert torch.allclose(before, warm, atol=1e-6)
    assert not torch.allclose(before, cold, atol=1e-3)


def test_the_first_fit_sees_nothing_after_its_split_point(
    small_shop: tuple[Path, Dataset], tmp_path: Path
) -> None:
    """With all events after the validation window changed, the weights stay the same bit for bit."""
    _, dataset = small_shop
    run, config = train(small_shop, tmp_path / "as it is", "training.refit_epochs=0")
    _, test, _ = timeline = split_points(dataset, config.split)
    items = np.where(test.past(dataset), dataset.items, 0).astype(np.int32)
    changed = Dataset(**{**vars(dataset), "items": items})
    assert (items != dataset.items).any()
    other = Run.create(tmp_path, name="changed")
    fit_encoders(changed, timeline, config=config, run=other)
    assert torch.equal(
        item_vectors(small_shop, run, config, "validation"),
        item_vectors(small_shop, other, config, "validation"),
    )


def test_targets_without_events_are_one_clear_error(small_shop: tuple[Path, Dataset], tmp_path: Path) -> None:
    with pytest.raises(
        TooLittleDataError,
        match=r"No user has two events.*\(add_to_cart\).*The data has: .*purchase \([\d,]+\)",
    ):
        train(small_shop, tmp_path, "history.targets={add_to_cart: 1}")


def test_a_target_without_events_beside_one_with_events_is_logged(
    small_shop: tuple[Path, Dataset], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(
        small_shop,
        tmp_path,
        "history.targets={purchase: 1, review: 1}",
        "history.input_event_types=[purchase, review]",
    )
    found = " ".join(capsys.readouterr().err.split())
    assert re.search(
        r"history\.targets has review, which the data has no events of\. It has: .*purchase \([\d,]+\)", found
    )
    train(small_shop, tmp_path / "purchases")
    assert "history.targets" not in capsys.readouterr().err


def test_a_window_without_events_is_one_clear_error(small_shop: tuple[Path, Dataset], tmp_path: Path) -> None:
    _, dataset = small_shop
    config = shop.make_config(small_shop[0], tmp_path, "training.max_epochs=1")
    _, test, full = split_points(dataset, config.split)
    with pytest.raises(TooLittleDataError, match=r"in the window after it.*split\.window_days"):
        fit_encoders(dataset, (test, test, full), config=config, run=Run.create(tmp_path, name="test"))


def test_a_loss_of_nan_stops_the_training_with_the_remedy(
    small_shop: tuple[Path, Dataset], tmp_path: Path
) -> None:
    with pytest.raises(
        TrainingError, match=r"The loss became nan.*lower training\.learning_rate \(now 1e\+30\)"
    ):
        train(
            small_shop,
            tmp_path,
            "training.learning_rate=1e30",
            "training.max_epochs=3",
            "training.patience=3",
        )


def test_the_best_epoch_is_kept(small_shop: tuple[Path, Dataset], tmp_path: Path) -> None:
    """Epochs after the best one leave no trace in the weights."""
    settings = ("training.learning_rate=0.1", "training.refit_epochs=0")
    longer, config = train(
        small_shop, tmp_path / "longer", *settings, "training.max_epochs=6", "training.patience=6"
    )
    recalls = [line["metrics"]["validation_recall"] for line in longer.curves()]
    best = int(np.argmax(recalls))
    assert best < 5, "the last epoch is the best: this tests nothing"
    shorter, _ = train(small_shop, tmp_path / "shorter", *settings, f"training.max_epochs={best + 1}")
    vectors = [item_vectors(small_shop, run, config, "validation") for run in (longer, shorter)]
    assert torch.equal(*vectors)
    patient, _ = train(
        small_shop, tmp_path / "patient", *settings, "training.max_epochs=6", "training.patience=1"
    )
    assert len(patient.curves()) == next(
        (epoch + 1 for epoch in range(1, 6) if recalls[epoch] <= max(recalls[:epoch])), 6
    )


def test_the_time_limit_stops_each_fit_inside_an_epoch_and_validates_the_first(
    small_shop: tuple[Path, Dataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has 9 epochs; each refit has 1, of which the spent time allows a step too."""
    steps_by_epochs: Counter[int | None] = Counter()
    training_step = EncoderModule.training_step

    def counted(module: EncoderModule, batch: Batch, batch_idx: int) -> torch.Tensor | None:
        steps_by_epochs[module.trainer.max_epochs] += 1
        return training_step(module, batch, batch_idx)

    monkeypatch.setattr(EncoderModule, "training_step", counted)
    settings = ("training.batch_tokens=64", "training.max_epochs=9", "training.refit_epochs=1")
    run, _ = train(small_shop, tmp_path, *settings, "training.max_minutes=1e-5")
    assert steps_by_epochs == {9: 1, 1: 2}
    assert [line["series"] for line in run.curves()] == ["validation", "test", "full"]
    assert "validation_recall" in run.curves()[0]["metrics"]


def test_the_time_limit_bounds_all_fits_together(small_shop: tuple[Path, Dataset], tmp_path: Path) -> None:
    """Each would go on for minutes."""
    settings = ("training.max_epochs=5000", "training.refit_epochs=5000", "training.patience=5000")
    started = time.monotonic()
    run, _ = train(small_shop, tmp_path, *settings, "training.max_minutes=0.015")
    assert time.monotonic() - started < 20
    fits = run.read().fits
    assert [fit.ended_by for fit in fits.values()] == ["max_minutes"] * 3
    assert all(fit.training_seconds > 0 for fit in fits.values())


def test_the_first_fit_leaves_the_refits_their_time(small_shop: tuple[Path, Dataset], tmp_path: Path) -> None:
    """It could go on for minutes; they need an epoch each."""
    settings = ("training.max_epochs=5000", "training.patience=5000", "training.batch_tokens=512")
    run, _ = train(small_shop, tmp_path, *settings, "training.max_minutes=0.1")
    fits = run.read().fits
    assert (fits["validation"].ended_by, fits["test"].ended_by) == ("max_minutes", "max_epochs")


def test_time_before_an_interruption_counts() -> None:
    fit = FitSummary(epochs=3, seconds=40, training_seconds=30, interactions_per_second=1)
    budget = TimeBudget(1.0, RunRecord(fits={"validation": fit}))
    budget.spend(5)
    assert 14 < budget.left() <= 15


def test_an_encoder_that_is_not_there_is_named(small_shop: tuple[Path, Dataset], tmp_path: Path) -> None:
    config = shop.make_config(small_shop[0], tmp_path)
    with pytest.raises(
        TrainingError, match=r"encoder-test\.pt: this run has no encoder for the split point 'test'"
    ):
        load_encoder(tmp_path, small_shop[1], point="test", config=config)


@pytest.mark.parametrize("loss", ["sampled_softmax", "full_softmax", "in_batch_softmax", "gbce"])
@pytest.mark.parametrize("model", get_args(EncoderConfig.model_fields["model"].annotation))
def test_training_on_cuda(small_shop: tuple[Path, Dataset], tmp_path: Path, model: str, loss: str) -> None:
    if not torch.cuda.is_available():
        pytest.skip("this machine has no CUDA GPU")
    settings = ("training.device=cuda", "training.max_epochs=4", "training.patience=4")
    run, config = train(small_shop, tmp_path, *settings, f"encoder.model={model}", f"training.loss={loss}")
    losses = [line["metrics"]["loss"] for line in run.curves() if line["series"] == "validation"]
    share = 0.99 if model == "weighted_pooling" else 0.95  # it begins near its best, with vectors from an SVD
    assert losses[-1] < share * losses[0]
    assert torch.isfinite(item_vectors(small_shop, run, config, "full")).all()


def test_a_mean_of_weights_on_cuda(small_shop: tuple[Path, Dataset], tmp_path: Path) -> None:
    if not torch.cuda.is_available():
        pytest.skip("this machine has no CUDA GPU")
    settings = ("training.device=cuda", "training.max_epochs=3", "training.weight_averaging=0.99")
    run, _ = train(small_shop, tmp_path, *settings)
    weights = torch.load(run.folder / "encoder-validation.pt", weights_only=True)
    assert all(torch.isfinite(value).all() for value in weights.values())
    recalls = [
        line["metrics"]["validation_recall"] for line in run.curves() if line["series"] == "validation"
    ]
    assert recalls[-1] > 0.5


def test_asking_for_cuda_where_there_is_none_is_refused(
    small_shop: tuple[Path, Dataset], tmp_path: Path
) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA GPU")
    with pytest.raises(
        TrainingError,
        match=r"training\.device=cuda, but torch finds no CUDA device here: set it to auto or cpu",
    ):
        train(small_shop, tmp_path, "training.device=cuda")
