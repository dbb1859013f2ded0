"""Saves checkpoints during a fit and resumes a fit from one, inside an epoch and on a CPU bit for bit.

The state of the other callbacks comes from Lightning's own `state_dict` and `load_state_dict` hooks. The rest
is ours, because Lightning's checkpoints hold no random number generators; see docs/decisions/0008.
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
from training.encoder.curve_recorder import CurveRecorder
from training.runs.run import CHECKPOINT_FILE


class Checkpointing(Callback):
    """Must be the last callback of a fit, so that it saves what all others did in a step or an epoch."""

    def __init__(
        self,
        folder: Path,
        *,
        series: str,
        minutes: float,
        batches: TrainingBatches,
        recorder: CurveRecorder,
        after_epoch: Callable[[], None],
    ) -> None:
        self._folder, self._series, self._minutes = folder, series, minutes
        self._batches, self._recorder, self._after_epoch = batches, recorder, after_epoch
        self._found: dict[str, Any] | None = None
        self._steps = 0  # of the current epoch
        self._last_save = time.monotonic()

    def resume(self, trainer: pl.Trainer, module: Any) -> bool:
        """Restore the checkpoint of this fit, if there is one. True if that fit was already finished."""
        self._found = found = load_checkpoint(self._folder, series=self._series)
        if found is None:
            return False
        module.load_state_dict(found["module"])
        for callback in trainer.callbacks:
            if callback.state_key in found["callbacks"]:
                callback.load_state_dict(found["callbacks"][callback.state_key])
        progress = trainer.fit_loop.epoch_progress.current
        progress.ready = progress.started = progress.processed = progress.completed = found["epoch"]
        if found["batch_tokens"] == self._batches.batch_tokens:
            self._steps = found["steps"]
        self._batches.set_epoch(found["epoch"], first=self._steps)
        where = "" if found["finished"] else f" at epoch {found['epoch'] + 1}, step {self._steps + 1}"
        log(f"{self._series} fit: resuming from its checkpoint{where}")
        return bool(found["finished"])

    def on_train_start(self, trainer: pl.Trainer, module: Any) -> None:
        """Restore the optimizer of the checkpoint that training resumes from."""
        if self._found is None:
            return
        optimizer = trainer.optimizers[0]
        present = [{key: group[key] for key in ("lr", "weight_decay")} for group in optimizer.param_groups]
        optimizer.load_state_dict(self._found["optimizer"])
        for group, settings in zip(optimizer.param_groups, present, strict=True):
            group.update(settings)  # a run may be resumed with a lower learning rate

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Begin with the batch after the checkpoint."""
        self._batches.set_epoch(trainer.current_epoch, first=self._steps)

    def on_train_batch_start(self, trainer: pl.Trainer, module: Any, batch: Any, batch_idx: int) -> None:
        """Restore the random states at the first batch."""
        if self._found is not None:  # nothing draws random numbers between here and the training step
            restore_random_states(self._found["random"], module.generator)
            self._found = None

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Write a checkpoint where one is due."""
        self._steps += 1
        due = time.monotonic() - self._last_save > 60 * self._minutes
        if due and not trainer.is_last_batch and not trainer.should_stop:
            self._recorder.require_finite(trainer, module)
            self._save(trainer, module, epoch=trainer.current_epoch, finished=False)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: Any) -> None:
        """Write a checkpoint at the end of the epoch."""
        self._steps = 0
        done = trainer.current_epoch + 1
        finished = trainer.should_stop or done >= int(trainer.max_epochs or 0)
        self._save(trainer, module, epoch=done, finished=finished)
        self._after_epoch()

    def _save(self, trainer: pl.Trainer, module: Any, *, epoch: int, finished: bool) -> None:
        callbacks: list[Callback] = trainer.callbacks
        checkpoint = {
            "series": self._series,
            "epoch": epoch,
            "steps": self._steps,
            "finished": finished,
            "batch_tokens": self._batches.batch_tokens,
            "module": module.state_dict(),
            "optimizer": trainer.optimizers[0].state_dict(),
            "callbacks": {callback.state_key: callback.state_dict() for callback in callbacks},
            "random": random_states(module.generator),
        }
        save_torch(checkpoint, self._folder / CHECKPOINT_FILE)
        self._last_save = time.monotonic()
