"""Fits the encoder on the events before each cut: first with early stopping, then on from there as the past grows.

Needs numpy, torch and Lightning alone, so that a machine with a GPU and nothing else can train a prepared dataset.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint
from torch import Tensor
from torch.utils.data import DataLoader

from configs.console import Work, say, working
from configs.exceptions import TooLittleDataError, TrainingError
from configs.schema import Config
from features.columns import KIND
from features.dataset import Dataset
from features.histories import encoder_inputs
from features.splits import Cut, targets_before, targets_between
from models.encoder import Encoder, build_encoder
from training.batches import Events, TrainingBatches, validation_batches
from training.initial_vectors import svd_item_vectors
from training.module import EncoderModule
from training.negatives import NegativeSampler
from training.run_log import RunLog

MAX_VALIDATION_USERS = 2000
"""Early stopping needs a trend, not a table."""


def fit_encoders(
    dataset: Dataset,
    timeline: tuple[Cut, Cut, Cut],
    *,
    config: Config,
    run: RunLog,
    after_epoch: Callable[[], None] = lambda: None,
) -> None:
    """Write `encoder-<cut>.pt` for each cut of the timeline into the run's folder.

    The first is fitted from scratch and stopped by recall on the window after its cut; each later one starts from the one
    before and sees the longer past for `refit_epochs`.
    """
    validation, *later = timeline
    if unseen := [kind for kind in config.history.targets if kind not in dataset.manifest["kinds"]]:
        say(f"history.targets has {', '.join(unseen)}, of which the data holds none. It holds: {_kinds_found(dataset)}.")
    pl.seed_everything(config.training.seed, workers=True, verbose=False)
    encoder = build_encoder(config.encoder, num_items=dataset.num_items, max_length=config.history.max_length)
    if config.training.initial_vectors == "svd":
        encoder.start_from(_svd_vectors(dataset, validation, config))
    encoder = _fit(encoder, dataset, validation, config=config, run=run, next_cut=later[0], after_epoch=after_epoch)
    save_encoder(encoder, run.folder, cut=validation.name)
    for cut in later:
        if config.training.refit_epochs:
            encoder = _fit(encoder, dataset, cut, config=config, run=run, next_cut=None, after_epoch=after_epoch)
        save_encoder(encoder, run.folder, cut=cut.name)


def save_encoder(encoder: Encoder, folder: Path, *, cut: str) -> None:
    """Write the weights beside their place and rename."""
    scratch = folder / f".encoder-{cut}.part"
    torch.save(encoder.state_dict(), scratch)
    scratch.rename(folder / f"encoder-{cut}.pt")


def load_encoder(folder: Path, dataset: Dataset, *, cut: str, config: Config) -> Encoder:
    """The encoder that was fitted on the events before the cut, ready to answer."""
    path = folder / f"encoder-{cut}.pt"
    if not path.is_file():
        raise TrainingError(f"{path}: this run has no encoder for the cut {cut!r}. Train again with `shopkeeper train`.")
    encoder = build_encoder(config.encoder, num_items=dataset.num_items, max_length=config.history.max_length)
    encoder.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return encoder.eval()


def _fit(
    encoder: Encoder,
    dataset: Dataset,
    cut: Cut,
    *,
    config: Config,
    run: RunLog,
    next_cut: Cut | None,
    after_epoch: Callable[[], None],
) -> Encoder:
    history = config.history
    events = Events.before(dataset, cut, input_kinds=_codes(history.input_kinds), targets=history.targets)
    if not events.is_target.any() or not len(events.starts):
        raise _nothing_to_learn(dataset, cut, config)
    training = config.training
    batches = TrainingBatches(
        events, max_length=config.history.max_length, batch_tokens=training.batch_tokens, seed=training.seed
    )
    target_items = torch.from_numpy(events.events.items[events.is_target].astype(np.int64))
    sampler = NegativeSampler(
        target_items, num_items=dataset.num_items, num_negatives=training.num_negatives, popular_share=training.popular_share
    )
    known_N = torch.bincount(target_items, minlength=dataset.num_items) > 0
    module = EncoderModule(encoder, sampler=sampler, known_N=known_N, config=training)
    epochs = training.max_epochs if next_cut else training.refit_epochs
    with working(f"encoder before the {cut.name} cut", total=epochs * batches.num_batches()) as work:
        recorder = _Recorder(run, series=cut.name, work=work, batches=batches, after_epoch=after_epoch)
        trainer, best = _trainer(config, run, recorder, epochs=epochs, validates=next_cut is not None)
        validation = _validation(dataset, cut, next_cut, config=config) if next_cut else None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Lightning's advice on workers and loggers
            trainer.fit(module, train_dataloaders=batches, val_dataloaders=validation)
    if best is not None:
        encoder.load_state_dict(_encoder_weights(Path(best.best_model_path)))
        Path(best.best_model_path).unlink()
    recorder.report(best)
    return encoder


def _svd_vectors(dataset: Dataset, cut: Cut, config: Config) -> Tensor:
    users, events, weights = targets_before(dataset, cut, targets=config.history.targets)
    if not len(users):
        raise _nothing_to_learn(dataset, cut, config)
    return svd_item_vectors(
        torch.from_numpy(users.astype(np.int64)),
        torch.from_numpy(events.items.astype(np.int64)),
        torch.from_numpy(weights),
        num_items=dataset.num_items,
        dim=config.encoder.dim,
        seed=config.training.seed,
    )


def _trainer(
    config: Config, run: RunLog, recorder: Callback, *, epochs: int, validates: bool
) -> tuple[Any, ModelCheckpoint | None]:
    for name in ("pytorch_lightning.utilities.rank_zero", "pytorch_lightning.accelerators.cuda"):
        logging.getLogger(name).setLevel(logging.WARNING)
    training = config.training
    callbacks: list[Callback] = [recorder]
    best = None
    if validates:
        best = ModelCheckpoint(run.folder, filename="best", monitor="validation_recall", mode="max", save_weights_only=True)
        callbacks += [EarlyStopping("validation_recall", mode="max", patience=training.patience), best]
    on_gpu = training.device != "cpu" and torch.cuda.is_available()
    if training.device == "cuda" and not on_gpu:
        raise TrainingError("training.device=cuda, but torch finds no CUDA device here: set it to auto or cpu.")
    precision = ("bf16-mixed" if on_gpu else "32-true") if training.precision == "auto" else training.precision
    trainer = pl.Trainer(
        accelerator="gpu" if on_gpu else "cpu",
        devices=1,
        precision=precision,
        max_epochs=epochs,
        max_time={"minutes": training.max_minutes} if training.max_minutes and validates else None,
        callbacks=callbacks,
        gradient_clip_val=1.0,
        logger=False,
        enable_checkpointing=best is not None,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )
    return trainer, best


class _Recorder(Callback):
    """Writes the curves, moves the progress bar, and tells the batches which epoch it is."""

    def __init__(
        self, run: RunLog, *, series: str, work: Work, batches: TrainingBatches, after_epoch: Callable[[], None]
    ) -> None:
        self._run, self._series, self._work, self._batches = run, series, work, batches
        self._after_epoch = after_epoch
        self._started = time.monotonic()
        self._epoch_started = self._last_step = self._started
        self._trained_seconds, self._epochs = 0.0, 0

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._batches.set_epoch(trainer.current_epoch)
        self._epoch_started = time.monotonic()

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        note = f"loss {float(outputs['loss']):.3f}" if batch_idx % 20 == 0 else ""
        self._work.advance(note=note)
        self._last_step = time.monotonic()

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._trained_seconds += self._last_step - self._epoch_started
        self._epochs += 1
        values = {name: float(value) for name, value in trainer.callback_metrics.items()}
        values["interactions_per_second"] = self.interactions_per_second
        values["seconds"] = time.monotonic() - self._started
        self._run.log(self._series, trainer.current_epoch, values)
        recall = f", validation recall {values['validation_recall']:.4f}" if "validation_recall" in values else ""
        say(
            f"{self._series} epoch {trainer.current_epoch + 1}: loss {values['loss']:.4f}{recall}, "
            f"{self.interactions_per_second:,.0f} interactions/s"
        )
        self._after_epoch()

    @property
    def interactions_per_second(self) -> float:
        """Real interactions (no padding) a second of training, validation left out."""
        return self._epochs * self._batches.num_tokens / max(self._trained_seconds, 1e-9)

    def report(self, best: ModelCheckpoint | None) -> None:
        """Sum the fit up in `run.json`."""
        entries: dict[str, float] = {
            "seconds": round(time.monotonic() - self._started, 1),
            "epochs": self._epochs,
            "interactions_per_second": round(self.interactions_per_second),
        }
        if best is not None and best.best_model_score is not None:
            entries["best_validation_recall"] = float(best.best_model_score)
        self._run.update(fits={**self._run.read().get("fits", {}), self._series: entries})


def _validation(dataset: Dataset, cut: Cut, next_cut: Cut, *, config: Config) -> Any:
    relevant = targets_between(dataset, cut, next_cut, targets=config.history.targets)
    users = np.array(sorted(relevant))
    if len(users) > MAX_VALIDATION_USERS:
        users = np.random.default_rng(config.training.seed).choice(users, MAX_VALIDATION_USERS, replace=False)
    rows = []
    for user in users:
        history = cut.history(dataset, int(user))
        inputs = encoder_inputs(
            history, as_of=cut.moment(history), kinds=_codes(config.history.input_kinds), max_length=config.history.max_length
        )
        if len(inputs.items):
            rows.append((inputs.items, inputs.kinds, inputs.ages, relevant[int(user)]))
    if not rows:
        raise TooLittleDataError(
            f"Nobody who has events before the {cut.name} cut has one of {', '.join(config.history.target_kinds)} in the window "
            "after it, so training could not be judged: set a longer split.window_days, or other history.targets."
        )
    return DataLoader(validation_batches(rows, batch_tokens=config.training.batch_tokens), batch_size=None)  # type: ignore[arg-type]


def _encoder_weights(checkpoint: Path) -> dict[str, Any]:
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]
    return {name.removeprefix("encoder."): value for name, value in state.items() if name.startswith("encoder.")}


def _codes(kinds: tuple[str, ...]) -> NDArray[np.int8]:
    return np.array([KIND[kind] for kind in kinds], np.int8)


def _nothing_to_learn(dataset: Dataset, cut: Cut, config: Config) -> TooLittleDataError:
    return TooLittleDataError(
        f"No user has two events before the {cut.name} cut with one of history.targets "
        f"({', '.join(config.history.target_kinds)}). The data has: {_kinds_found(dataset)}."
    )


def _kinds_found(dataset: Dataset) -> str:
    return ", ".join(f"{kind} ({count:,})" for kind, count in dataset.manifest["kinds"].items())
