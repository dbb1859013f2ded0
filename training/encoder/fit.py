"""Fits the encoder on the events before each split point: first with early stopping, then on from there as
the past grows.

Needs numpy, torch and Lightning alone, so that a machine with a GPU and nothing else can train a prepared
dataset.
"""

from __future__ import annotations

import logging
import math
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from configs.console import log, progress
from configs.exceptions import TooLittleDataError, TrainingError
from configs.schema import Config, TrainingConfig
from features.core.columns import EVENT_TYPE_CODE
from features.dataset import Dataset
from features.splits import SplitPoint, targets_before
from models.encoder import Encoder
from training.encoder.batches import Events, TrainingBatches
from training.encoder.build_model import build_model
from training.encoder.checkpoint import load_checkpoint, save_torch
from training.encoder.checkpointing import Checkpointing
from training.encoder.early_stopping import EarlyStopping
from training.encoder.graph_filter import graph_filter_item_vectors
from training.encoder.initial_vectors import svd_item_vectors
from training.encoder.module import EncoderModule
from training.encoder.negatives import NegativeSampler
from training.encoder.out_of_memory import explained_memory
from training.encoder.recorder import Recorder
from training.encoder.set_batches import SetBatches
from training.encoder.user_table import UserTable
from training.encoder.validation import validation_loader
from training.encoder.weight_averaging import WeightAverage
from training.runs.run import CHECKPOINT_FILE, Run


def fit_encoders(
    dataset: Dataset,
    timeline: tuple[SplitPoint, SplitPoint, SplitPoint],
    *,
    config: Config,
    run: Run,
    after_epoch: Callable[[], None] = lambda: None,
) -> None:
    """Write `encoder-<cut>.pt` for each split point of the timeline into the run's folder.

    The first is fitted from scratch and stopped by `training.monitor` on the window after its split point;
    each later one starts from the one before and sees the longer past for `refit_epochs`. What the folder has
    already, from before a kill, is not fitted again, and a fit that has a checkpoint there goes on from it:
    the outcome is the same to the last bit. A fit depends on the seed, the data and the weights it starts
    from alone. Without epochs every split point has its own initial vectors.
    """
    _drop_curves_to_come(run, timeline)
    validation, *later = timeline
    if unseen := [kind for kind in config.history.targets if kind not in dataset.manifest["event_types"]]:
        log(
            f"history.targets has {', '.join(unseen)}, of which the data holds none. It holds: "
            f"{_event_types_found(dataset)}."
        )
    if not config.training.max_epochs:
        _keep_beginnings(dataset, timeline, config=config, run=run)
        return
    pl.seed_everything(config.training.seed, workers=True, verbose=False)
    encoder = build_model(dataset, config)
    if not _take_up(encoder, run, validation):
        _begin(encoder, dataset, validation, config)
        encoder = _fit(
            encoder, dataset, validation, config=config, run=run, next_cut=later[0], after_epoch=after_epoch
        )
        save_encoder(encoder, run.folder, point=validation.name)
    for point in later:
        if _take_up(encoder, run, point):
            continue
        if config.training.refit_epochs:
            pl.seed_everything(config.training.seed, workers=True, verbose=False)
            encoder = _fit(
                encoder, dataset, point, config=config, run=run, next_cut=None, after_epoch=after_epoch
            )
        save_encoder(encoder, run.folder, point=point.name)
    (run.folder / CHECKPOINT_FILE).unlink(missing_ok=True)


def _keep_beginnings(
    dataset: Dataset, timeline: tuple[SplitPoint, SplitPoint, SplitPoint], *, config: Config, run: Run
) -> None:
    """At each split point the initial vectors, made anew from what is known by then."""
    for point in timeline:
        encoder, started = build_model(dataset, config), time.monotonic()
        if _take_up(encoder, run, point):
            continue
        _begin(encoder, dataset, point, config)
        save_encoder(encoder, run.folder, point=point.name)
        fit = {
            "epochs": 0,
            "seconds": time.monotonic() - started,
            "training_seconds": 0.0,
            "interactions_per_second": 0.0,
        }
        run.add_fit(point.name, fit)


def _take_up(encoder: Encoder, run: Run, point: SplitPoint) -> bool:
    """Load the weights of a fit that the run has behind it."""
    path = run.folder / f"encoder-{point.name}.pt"
    if path.is_file():
        encoder.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return path.is_file()


def _drop_curves_to_come(run: Run, timeline: tuple[SplitPoint, SplitPoint, SplitPoint]) -> None:
    """Take epochs out of the curves that will be run again, since a kill came before their checkpoint."""
    kept: dict[str, float] = {}
    for point in timeline:
        done = (run.folder / f"encoder-{point.name}.pt").is_file()
        checkpoint = None if done else load_checkpoint(run.folder, series=point.name)
        kept[point.name] = math.inf if done else checkpoint["epoch"] if checkpoint else 0
    run.keep_curves(lambda line: line["step"] < kept.get(line["series"], math.inf))


def save_encoder(encoder: Encoder, folder: Path, *, point: str) -> None:
    """Write the weights, whole or not at all."""
    save_torch(encoder.state_dict(), folder / f"encoder-{point}.pt")


def load_encoder(folder: Path, dataset: Dataset, *, point: str, config: Config) -> Encoder:
    """The encoder that was fitted on the events before the split point, ready to answer."""
    path = folder / f"encoder-{point}.pt"
    if not path.is_file():
        raise TrainingError(
            f"{path}: this run has no encoder for the split point {point!r}. Train again with `shopkeeper "
            "train`."
        )
    encoder = build_model(dataset, config)
    encoder.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return encoder.eval()


def _fit(
    encoder: Encoder,
    dataset: Dataset,
    point: SplitPoint,
    *,
    config: Config,
    run: Run,
    next_cut: SplitPoint | None,
    after_epoch: Callable[[], None],
) -> Encoder:
    history = config.history
    events = Events.before(
        dataset, point, input_event_types=_codes(history.input_event_types), targets=history.targets
    )
    if not events.is_target.any() or not len(events.starts):
        raise _nothing_to_learn(dataset, point, config)
    training = config.training
    batches = _batches(events, UserTable.of(dataset) if encoder.reads_user else None, config)
    target_items = torch.from_numpy(events.events.items[events.is_target].astype(np.int64))
    module = _module(encoder, target_items, num_items=dataset.num_items, training=training)
    epochs = training.max_epochs if next_cut else training.refit_epochs
    with progress(
        f"encoder before the {point.name} split point", total=epochs * batches.num_batches()
    ) as work:
        recorder = Recorder(run, series=point.name, work=work)
        early_stopping = _early_stopping(recorder, training) if next_cut else None
        averaging = WeightAverage(decay=training.weight_averaging) if training.weight_averaging else None
        checkpointing = Checkpointing(
            run.folder,
            series=point.name,
            minutes=training.checkpoint_minutes,
            batches=batches,
            recorder=recorder,
            early_stopping=early_stopping,
            averaging=averaging,
            after_epoch=after_epoch,
        )
        callbacks = [
            callback
            for callback in (recorder, early_stopping, averaging, checkpointing)
            if callback is not None
        ]
        trainer = _trainer(config, callbacks, epochs=epochs)
        if not checkpointing.go_on(trainer, module):
            validation = validation_loader(dataset, point, next_cut, config=config) if next_cut else None
            with warnings.catch_warnings(), explained_memory(config):
                warnings.simplefilter("ignore")  # Lightning's advice on workers and loggers
                trainer.fit(module, train_dataloaders=batches, val_dataloaders=validation)
        if averaging:
            averaging.finish(module)
    best: dict[str, float] = {}
    if early_stopping and early_stopping.best is not None:
        encoder.load_state_dict(early_stopping.weights)
        best = {f"best_validation_{training.monitor}": early_stopping.best}
    run.add_fit(point.name, {**recorder.summary(), **best})
    return encoder


def _early_stopping(recorder: Recorder, training: TrainingConfig) -> EarlyStopping:
    return EarlyStopping(
        recorder, monitor=training.monitor, patience=training.patience, max_minutes=training.max_minutes
    )


def _batches(events: Events, user_table: UserTable | None, config: Config) -> TrainingBatches:
    size = {
        "max_length": config.history.max_length,
        "batch_tokens": config.training.batch_tokens,
        "seed": config.training.seed,
    }
    if config.history.order == "set":
        return SetBatches(events, **size)
    return TrainingBatches(events, **size, user_table=user_table)


def _module(
    encoder: Encoder, target_items: Tensor, *, num_items: int, training: TrainingConfig
) -> EncoderModule:
    sampler = NegativeSampler(
        target_items,
        num_items=num_items,
        num_negatives=training.num_negatives,
        popularity_sampling_ratio=0.0
        if training.loss == "gbce"
        else training.popularity_sampling_ratio,  # its calibration is for even draws
    )
    known_N = torch.bincount(target_items, minlength=num_items) > 0
    return EncoderModule(encoder, sampler=sampler, known_N=known_N, config=training)


def _begin(encoder: Encoder, dataset: Dataset, point: SplitPoint, config: Config) -> None:
    """Item vectors as `training.initial_vectors` says, and nothing of items that had no target event yet."""
    users, events, weights = targets_before(dataset, point, targets=config.history.targets)
    if not len(users):
        raise _nothing_to_learn(dataset, point, config)
    items_E = torch.from_numpy(events.items.astype(np.int64))
    known_N = torch.bincount(items_E, minlength=dataset.num_items) > 0
    if config.training.initial_vectors == "random":
        encoder.reset_item_embeddings(~known_N)
        return
    users_E = torch.from_numpy(users.astype(np.int64))
    size = {"num_items": dataset.num_items, "dim": config.encoder.dim, "seed": config.training.seed}
    if config.training.initial_vectors == "graph_filter":
        vectors_ND = graph_filter_item_vectors(users_E, items_E, **size)
    else:
        vectors_ND = svd_item_vectors(users_E, items_E, torch.from_numpy(weights), **size)
    encoder.load_pretrained(vectors_ND, known_N)


def _trainer(config: Config, callbacks: list[Callback], *, epochs: int) -> Any:
    for name in ("pytorch_lightning.utilities.rank_zero", "pytorch_lightning.accelerators.cuda"):
        logging.getLogger(name).setLevel(logging.WARNING)
    training = config.training
    on_gpu = training.device != "cpu" and torch.cuda.is_available()
    if training.device == "cuda" and not on_gpu:
        raise TrainingError(
            "training.device=cuda, but torch finds no CUDA device here: set it to auto or cpu."
        )
    precision = (
        ("bf16-mixed" if on_gpu else "32-true") if training.precision == "auto" else training.precision
    )
    return pl.Trainer(
        accelerator="gpu" if on_gpu else "cpu",
        devices=1,
        precision=precision,
        max_epochs=epochs,
        callbacks=callbacks,
        gradient_clip_val=1.0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )


def _codes(event_types: tuple[str, ...]) -> NDArray[np.int8]:
    return np.array([EVENT_TYPE_CODE[kind] for kind in event_types], np.int8)


def _nothing_to_learn(dataset: Dataset, point: SplitPoint, config: Config) -> TooLittleDataError:
    return TooLittleDataError(
        f"No user has two events before the {point.name} split point with one of history.targets "
        f"({', '.join(config.history.target_event_types)}). The data has: {_event_types_found(dataset)}. "
        "Bring more data, or set history.targets to what it has."
    )


def _event_types_found(dataset: Dataset) -> str:
    return ", ".join(f"{kind} ({count:,})" for kind, count in dataset.manifest["event_types"].items())
