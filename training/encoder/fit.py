"""Fits the encoder on the events before each split point: first with early stopping, then by continuing on
the longer past.

Needs numpy, torch and Lightning only, so that a machine with a GPU and nothing else can train on a prepared
dataset.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from pytorch_lightning.callbacks import Timer

from configs.console import log, progress
from configs.schema import Config
from features.core.columns import EVENT_TYPE_CODE
from features.dataset import Dataset
from features.splits import SplitPoint
from models.encoder import Encoder
from training.encoder.batches import Events, TrainingBatches
from training.encoder.best_weights import BestWeights
from training.encoder.build_model import build_model
from training.encoder.checkpoint import load_checkpoint, save_torch
from training.encoder.checkpointing import Checkpointing
from training.encoder.curve_recorder import CurveRecorder
from training.encoder.initial_vectors import set_initial_vectors
from training.encoder.module import EncoderModule
from training.encoder.negatives import NegativeSampler
from training.encoder.out_of_memory import explain_out_of_memory
from training.encoder.set_batches import SetBatches
from training.encoder.time_limit import TimeBudget, TimeLimit
from training.encoder.too_little_data import event_type_counts, nothing_to_train_on
from training.encoder.trainer import build_trainer
from training.encoder.unread_content import say_what_is_not_read
from training.encoder.user_table import UserTable
from training.encoder.validation import validation_loader
from training.encoder.weight_averaging import ExponentialMovingAverage
from training.encoder.weights_by_item import can_be_aligned, weights_by_item_id
from training.runs.record import Ending, FitSummary
from training.runs.run import CHECKPOINT_FILE, Run


def fit_encoders(
    dataset: Dataset,
    timeline: tuple[SplitPoint, SplitPoint, SplitPoint],
    *,
    config: Config,
    run: Run,
    after_epoch: Callable[[], None] = lambda: None,
) -> None:
    """Write `encoder-<split point>.pt` for each split point of the timeline into the run's folder.

    The first encoder is fitted from scratch, with early stopping by `training.monitor` on the window after
    its split point. Each later one starts from the one before and continues for `refit_epochs` on the longer
    past. Encoders that are already in the folder are not fitted again, and a fit that has a checkpoint there
    is resumed: the weights are the same bit for bit. A fit depends only on the seed, the data and the weights
    that it starts from; with `max_minutes`, on the clock too. With `max_epochs` 0, each split point gets its
    own initial vectors.
    """
    _drop_unfinished_epochs(run, timeline)
    validation, *later = timeline
    budget = TimeBudget(config.training.max_minutes, run.read()) if config.training.max_minutes else None
    if missing := [name for name in config.history.targets if name not in dataset.manifest["event_types"]]:
        log(
            f"history.targets has {', '.join(missing)}, which the data has no events of. "
            f"It has: {event_type_counts(dataset)}."
        )
    if not config.training.max_epochs:
        _save_initial_vectors(dataset, timeline, config=config, run=run)
        return
    pl.seed_everything(config.training.seed, workers=True, verbose=False)
    encoder = build_model(dataset, config)
    say_what_is_not_read(encoder, dataset)
    fit = partial(_fit, encoder, dataset, config=config, run=run, budget=budget, after_epoch=after_epoch)
    if not _load_fitted(encoder, run, validation):
        _set_initial_weights(encoder, dataset, validation, config=config, run=run)
        fit(validation, later=later, next_point=later[0])
        save_encoder(encoder, run.folder, point=validation.name)
    for number, point in enumerate(later, start=1):
        if _load_fitted(encoder, run, point):
            continue
        if config.training.refit_epochs:
            pl.seed_everything(config.training.seed, workers=True, verbose=False)
            fit(point, later=later[number:], next_point=None)
        save_encoder(encoder, run.folder, point=point.name)
    (run.folder / CHECKPOINT_FILE).unlink(missing_ok=True)


def _save_initial_vectors(
    dataset: Dataset, timeline: tuple[SplitPoint, SplitPoint, SplitPoint], *, config: Config, run: Run
) -> None:
    """Write an untrained encoder for each split point, with initial vectors from the events before it."""
    for point in timeline:
        encoder, started = build_model(dataset, config), time.monotonic()
        if _load_fitted(encoder, run, point):
            continue
        set_initial_vectors(encoder, dataset, point, config)
        save_encoder(encoder, run.folder, point=point.name)
        seconds = time.monotonic() - started
        run.add_fit(
            point.name,
            FitSummary(epochs=0, seconds=seconds, training_seconds=0, interactions_per_second=0),
        )


def _set_initial_weights(
    encoder: Encoder, dataset: Dataset, point: SplitPoint, *, config: Config, run: Run
) -> None:
    """The weights of the run's `warm_started_from` at this split point, where they mean something for this
    dataset; else initial item vectors.

    They know nothing of the window after the split point: that run's was no later.
    """
    name = run.read().warm_started_from
    if name is not None:
        before = Run(run.folder.parent / name)
        path = before.folder / f"encoder-{point.name}.pt"
        by_ids_alone = encoder.item_tower is None and not encoder.reads_user
        if path.is_file() and by_ids_alone and can_be_aligned(encoder, before, dataset):
            weights = torch.load(path, map_location="cpu", weights_only=True)
            encoder.load_state_dict(weights_by_item_id(weights, encoder, before, dataset))
            log(f"warm start from the weights of {name}")
            return
        log(f"no warm start: the weights of {name} are gone, or belong to codes of its own catalogue")
    set_initial_vectors(encoder, dataset, point, config)


def _load_fitted(encoder: Encoder, run: Run, point: SplitPoint) -> bool:
    """Load the weights of a fit that the run has finished; False if there are none."""
    path = run.folder / f"encoder-{point.name}.pt"
    if path.is_file():
        encoder.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return path.is_file()


def _drop_unfinished_epochs(run: Run, timeline: tuple[SplitPoint, SplitPoint, SplitPoint]) -> None:
    """Remove epochs from the curves that were interrupted before their checkpoint and will be repeated."""
    kept: dict[str, float] = {}
    for point in timeline:
        done = (run.folder / f"encoder-{point.name}.pt").is_file()
        checkpoint = None if done else load_checkpoint(run.folder, series=point.name)
        kept[point.name] = math.inf if done else checkpoint["epoch"] if checkpoint else 0
    run.keep_curves(lambda line: line["step"] < kept.get(line["series"], math.inf))


def save_encoder(encoder: Encoder, folder: Path, *, point: str) -> None:
    """Write the weights, atomically."""
    save_torch(encoder.state_dict(), folder / f"encoder-{point}.pt")


def _fit(
    encoder: Encoder,
    dataset: Dataset,
    point: SplitPoint,
    *,
    config: Config,
    run: Run,
    later: Sequence[SplitPoint],
    next_point: SplitPoint | None,
    budget: TimeBudget | None,
    after_epoch: Callable[[], None],
) -> None:
    """Train the encoder in place. With `next_point`, by early stopping on the window between the two.

    `later` are the split points whose fits follow.
    """
    training = config.training
    events = _training_events(dataset, point, config)
    batches = _build_batches(events, UserTable.of(dataset) if encoder.reads_user else None, config)
    module = _build_module(encoder, events, num_items=dataset.num_items, config=config)
    epochs = training.max_epochs if next_point else training.refit_epochs
    timer = Timer(verbose=False)
    best = BestWeights(monitor=training.monitor, patience=training.patience) if next_point else None
    decay = training.weight_averaging
    average = ExponentialMovingAverage(encoder, decay=decay) if decay else None
    num_batches = batches.num_batches()
    later_steps = training.refit_epochs * num_batches * _growth(dataset, point, later)
    limit = TimeLimit(budget, timer, later_fits=len(later), later_steps=later_steps if next_point else None)
    with progress(
        f"encoder before the {point.name} split point",
        total=epochs * num_batches,
        at_most=limit.seconds_left if budget else None,
    ) as work:
        recorder = CurveRecorder(run, series=point.name, work=work, timer=timer)
        checkpointing = Checkpointing(
            run.folder,
            series=point.name,
            minutes=training.checkpoint_minutes,
            batches=batches,
            recorder=recorder,
            after_epoch=after_epoch,
        )
        in_order = (timer, limit, recorder, best, average, checkpointing)
        trainer = build_trainer(config, [one for one in in_order if one is not None], epochs=epochs)
        if not checkpointing.resume(trainer, module):
            validation = validation_loader(dataset, point, next_point, config=config) if next_point else None
            with warnings.catch_warnings(), explain_out_of_memory(config):
                warnings.simplefilter("ignore")  # Lightning's advice on workers and loggers
                trainer.fit(module, train_dataloaders=batches, val_dataloaders=validation)
    run.add_fit(point.name, _finish(encoder, recorder, limit=limit, best=best, average=average))


def _finish(
    encoder: Encoder,
    recorder: CurveRecorder,
    *,
    limit: TimeLimit,
    best: BestWeights | None,
    average: ExponentialMovingAverage | None,
) -> FitSummary:
    """Load the weights to keep into the encoder: the best, or the average. Returns how the fit went."""
    summary = recorder.summary().model_copy(update={"ended_by": _ended_by(limit, best)})
    if best and best.weights:
        encoder.load_state_dict(best.weights)
        return summary.model_copy(update={f"best_{best.monitor}": float(best.best_score)})
    if average:
        encoder.load_state_dict(average.encoder.state_dict())
    return summary


def _ended_by(limit: TimeLimit, best: BestWeights | None) -> Ending:
    if limit.has_ended:
        return "max_minutes"
    return "patience" if best and best.stopped_epoch else "max_epochs"


def _growth(dataset: Dataset, point: SplitPoint, later: Sequence[SplitPoint]) -> float:
    """The events before all later split points, as a multiple of those before this one."""
    num_events = [int((one.ends - dataset.offsets[:-1]).sum()) for one in (point, *later)]
    return sum(num_events[1:]) / max(num_events[0], 1)


def _training_events(dataset: Dataset, point: SplitPoint, config: Config) -> Events:
    event_types = _codes(config.history.input_event_types)
    events = Events.before(dataset, point, input_event_types=event_types, targets=config.history.targets)
    if not events.is_target.any() or not len(events.starts):
        raise nothing_to_train_on(dataset, point, config)
    return events


def _build_batches(events: Events, user_table: UserTable | None, config: Config) -> TrainingBatches:
    size = {
        "max_length": config.history.max_length,
        "batch_tokens": config.training.batch_tokens,
        "seed": config.training.seed,
    }
    if config.history.order == "set":
        return SetBatches(events, **size)
    return TrainingBatches(events, **size, user_table=user_table)


def _build_module(encoder: Encoder, events: Events, *, num_items: int, config: Config) -> EncoderModule:
    training = config.training
    target_items = torch.from_numpy(events.events.items[events.is_target].astype(np.int64))
    # the calibration of gBCE is for uniform negatives
    ratio = 0.0 if training.loss == "gbce" else training.popularity_sampling_ratio
    sampler = NegativeSampler(
        target_items,
        num_items=num_items,
        num_negatives=training.num_negatives,
        popularity_sampling_ratio=ratio,
    )
    known_N = torch.bincount(target_items, minlength=num_items) > 0
    return EncoderModule(encoder, sampler=sampler, known_N=known_N, config=training)


def _codes(event_types: tuple[str, ...]) -> NDArray[np.int8]:
    return np.array([EVENT_TYPE_CODE[name] for name in event_types], np.int8)
