"""Writes the training curves of a fit into the run, advances the progress bar, stops on a non-finite loss."""

from __future__ import annotations

import math
import time
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, Timer
from torch import Tensor

from configs.console import Work, log
from configs.exceptions import TrainingError
from training.runs.record import FitSummary
from training.runs.run import Run

STEPS_BETWEEN_CHECKS = 20
"""Reading a loss makes the CPU wait for the GPU, so it is not read at every step."""


class CurveRecorder(Callback):
    """Writes one line of `metrics.jsonl` per epoch. Its sums are part of the checkpoint, so a resumed fit
    writes the same lines."""

    def __init__(self, run: Run, *, series: str, work: Work, timer: Timer) -> None:
        self._run, self._series, self._work, self._timer = run, series, work, timer
        self._num_epochs = self._num_tokens = self._num_pairs = 0
        self._trained_seconds = 0.0
        self._loss: Tensor | float = 0.0
        self._last_step = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        """The sums of the fit and of the current epoch."""
        return {
            "num_epochs": self._num_epochs,
            "num_tokens": self._num_tokens,
            "num_pairs": self._num_pairs,
            "trained_seconds": self._trained_seconds,
            "loss": float(self._loss),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue with the sums of a checkpoint."""
        self._num_epochs = state_dict["num_epochs"]
        self._num_tokens, self._num_pairs = state_dict["num_tokens"], state_dict["num_pairs"]
        self._trained_seconds, self._loss = state_dict["trained_seconds"], state_dict["loss"]

    @property
    def seconds(self) -> float:
        """Duration of the fit, including validation and the time before an interruption."""
        return float(self._timer.time_elapsed())

    @property
    def interactions_per_second(self) -> float:
        """Interactions (without padding) per second of training, excluding validation."""
        return self._num_tokens / max(self._trained_seconds, 1e-9)

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Start the epoch's clock."""
        self._last_step = time.monotonic()

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Add the batch to the epoch's loss and show the progress."""
        note = ""
        if outputs:  # empty for a batch without targets
            self._loss = self._loss + outputs["loss"].detach().double() * len(batch.targets_P)
            self._num_pairs += len(batch.targets_P)
        if outputs and batch_idx % STEPS_BETWEEN_CHECKS == 0:
            self.require_finite(trainer, module)
            note = f"loss {float(outputs['loss']):.3f}"
        self._num_tokens += batch.num_tokens
        self._work.advance(note=note)
        now = time.monotonic()
        self._trained_seconds, self._last_step = self._trained_seconds + now - self._last_step, now

    def on_train_epoch_end(self, trainer: pl.Trainer, module: Any) -> None:
        """Write the epoch's line of the curve."""
        self.require_finite(trainer, module)
        self._num_epochs += 1
        values = {name: float(value) for name, value in trainer.callback_metrics.items()}
        values["loss"] = float(self._loss) / max(self._num_pairs, 1)
        values["interactions_per_second"], values["seconds"] = self.interactions_per_second, self.seconds
        self._loss, self._num_pairs = 0.0, 0
        self._run.log(self._series, trainer.current_epoch, values)
        monitor = f"validation_{module.config.monitor}"
        monitored = f", {monitor.replace('_', ' ')} {values[monitor]:.4f}" if monitor in values else ""
        log(
            f"{self._series} epoch {trainer.current_epoch + 1}: loss {values['loss']:.4f}{monitored}, "
            f"{self.interactions_per_second:,.0f} interactions/s"
        )

    def require_finite(self, trainer: pl.Trainer, module: Any) -> None:
        """Raise TrainingError if a loss of this epoch or a weight is infinite or NaN. Called before every
        checkpoint."""
        loss = float(self._loss)
        if math.isfinite(loss) and all(torch.isfinite(value).all() for value in module.encoder.parameters()):
            return
        what = "A weight became infinite or nan" if math.isfinite(loss) else f"The loss became {loss}"
        rate = module.config.learning_rate
        raise TrainingError(
            f"{what} in epoch {trainer.current_epoch + 1} of the {self._series} fit. Try a lower "
            f"training.learning_rate (now {rate:g}), such as {rate / 3:.2g}, or training.precision=32-true."
        )

    def summary(self) -> FitSummary:
        """The entry of this fit in `run.json`."""
        return FitSummary(
            seconds=round(self.seconds, 1),
            training_seconds=round(self._trained_seconds, 1),
            epochs=self._num_epochs,
            interactions_per_second=round(self.interactions_per_second),
        )
