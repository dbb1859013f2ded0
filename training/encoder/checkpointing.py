"""Saves the state of a fit now and then, and carries a fit on from it, on a CPU to the last bit.

Lightning's own way back in the middle of an epoch needs its loader's help and is hard to follow; here
everything that a step depends on is put back by hand, and the epoch goes on at its next batch.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from configs.console import log
from training.encoder.batches import TrainingBatches
from training.encoder.checkpoint import (
    load_checkpoint,
    random_states,
    restore_random_states,
    save_torch,
)
from training.encoder.early_stopping import EarlyStopping
from training.encoder.recorder import Recorder
from training.encoder.weight_averaging import WeightAverage
from training.runs.run import CHECKPOINT_FILE


class Checkpointing(Callback):
    """The last of a fit's callbacks, so that what it saves is the outcome of all the others."""

    def __init__(
        self,
        folder: Path,
        *,
        series: str,
        minutes: float,
        batches: TrainingBatches,
        recorder: Recorder,
        early_stopping: EarlyStopping | None,
        averaging: WeightAverage | None,
        after_epoch: Callable[[], None],
    ) -> None:
        self._folder, self._series, self._minutes, self._batches = folder, series, minutes, batches
        self._recorder, self._early_stopping, self._averaging, self._after_epoch = (
            recorder,
            early_stopping,
            averaging,
            after_epoch,
        )
        self._found: dict[str, Any] | None = None
        self._steps = 0  # of the present epoch
        self._last_save = time.monotonic()

    def go_on(self, trainer: pl.Trainer, module: Any) -> bool:
        """Put back what a checkpoint of this fit holds, if there is one; True when that fit had come to its
        end."""
        self._found = found = load_checkpoint(self._folder, series=self._series)
        if found is None:
            return False
        module.load_state_dict(found["module"])
        self._recorder.restore(found["recorder"])
        if self._early_stopping is not None:
            self._early_stopping.restore(found["stopping"])
        if self._averaging is not None and found["averaging"] is not None:
            self._averaging.restore(found["averaging"])
        progress = trainer.fit_loop.epoch_progress.current
        progress.ready = progress.started = progress.processed = progress.completed = found["epoch"]
        if found["batch_tokens"] == self._batches.batch_tokens:
            self._steps = found["steps"]
        self._batches.set_epoch(found["epoch"], first=self._steps)
        where = f"epoch {found['epoch'] + 1}, step {self._steps + 1}"
        log(
            f"{self._series} fit: going on from its checkpoint"
            + ("" if found["finished"] else f" at {where}")
        )
        return bool(found["finished"])

    def on_train_start(self, trainer: pl.Trainer, module: Any) -> None:
        if self._found is None:
            return
        optimizer = trainer.optimizers[0]
        present = [{key: group[key] for key in ("lr", "weight_decay")} for group in optimizer.param_groups]
        optimizer.load_state_dict(self._found["optimizer"])
        for group, settings in zip(optimizer.param_groups, present, strict=True):
            group.update(settings)  # a lower learning rate may be why this is a second try

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._batches.set_epoch(trainer.current_epoch, first=self._steps)

    def on_train_batch_start(self, trainer: pl.Trainer, module: Any, batch: Any, batch_idx: int) -> None:
        if self._found is not None:  # nothing draws between here and the step
            restore_random_states(self._found["random"], module.generator)
            self._found = None

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._steps += 1
        due = time.monotonic() - self._last_save > 60 * self._minutes
        if due and not trainer.is_last_batch and not trainer.should_stop:
            self._recorder.require_finite(trainer, module)
            self._save(trainer, module, epoch=trainer.current_epoch, finished=False)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: Any) -> None:
        self._steps = 0
        done = trainer.current_epoch + 1
        self._save(
            trainer, module, epoch=done, finished=trainer.should_stop or done >= int(trainer.max_epochs or 0)
        )
        self._after_epoch()

    def _save(self, trainer: pl.Trainer, module: Any, *, epoch: int, finished: bool) -> None:
        state = {
            "series": self._series,
            "epoch": epoch,
            "steps": self._steps,
            "finished": finished,
            "batch_tokens": self._batches.batch_tokens,
            "module": module.state_dict(),
            "optimizer": trainer.optimizers[0].state_dict(),
            "recorder": self._recorder.state(),
            "stopping": self._early_stopping.state() if self._early_stopping else None,
            "averaging": self._averaging.state() if self._averaging else None,
            "random": random_states(module.generator),
        }
        save_torch(state, self._folder / CHECKPOINT_FILE)
        self._last_save = time.monotonic()
