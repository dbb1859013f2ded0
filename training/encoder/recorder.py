"""Writes a fit's curves into the run, moves the progress bar, and stops a fit whose loss is no number."""

from __future__ import annotations

import math
import time
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from configs.console import Work, log
from configs.exceptions import TrainingError
from training.runs.run import Run

STEPS_BETWEEN_LOOKS = 20
"""To look at a loss waits for the GPU, so it is not done at every step."""


class Recorder(Callback):
    """One line of `metrics.jsonl` an epoch. Its sums go into the checkpoint, so that a line does not depend
    on a kill."""

    def __init__(self, run: Run, *, series: str, work: Work) -> None:
        self._run, self._series, self._work = run, series, work
        self._epochs, self._num_tokens, self._trained_seconds, self._seconds_before = 0, 0, 0.0, 0.0
        self._loss: Tensor | float = 0.0
        self._pairs = 0
        self._started = self._last_step = time.monotonic()

    def state(self) -> dict[str, float]:
        """What a checkpoint needs to know."""
        return {
            "epochs": self._epochs,
            "tokens": self._num_tokens,
            "trained_seconds": self._trained_seconds,
            "seconds": self.seconds,
            "loss": float(self._loss),
            "pairs": self._pairs,
        }

    def restore(self, state: dict[str, float]) -> None:
        """Go on from there."""
        self._epochs, self._num_tokens, self._pairs = (
            int(state["epochs"]),
            int(state["tokens"]),
            int(state["pairs"]),
        )
        self._trained_seconds, self._seconds_before, self._loss = (
            state["trained_seconds"],
            state["seconds"],
            state["loss"],
        )

    @property
    def seconds(self) -> float:
        """How long this fit has run, the time before a kill included."""
        return self._seconds_before + time.monotonic() - self._started

    @property
    def interactions_per_second(self) -> float:
        """Real interactions (no padding) a second of training, validation left out."""
        return self._num_tokens / max(self._trained_seconds, 1e-9)

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._last_step = time.monotonic()

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        note = ""
        if outputs:  # none for a batch without a target
            self._loss = self._loss + outputs["loss"].detach().double() * len(batch.targets_P)
            self._pairs += len(batch.targets_P)
        if outputs and batch_idx % STEPS_BETWEEN_LOOKS == 0:
            self.require_finite(trainer, module)
            note = f"loss {float(outputs['loss']):.3f}"
        self._num_tokens += batch.num_tokens
        self._work.advance(note=note)
        now = time.monotonic()
        self._trained_seconds, self._last_step = self._trained_seconds + now - self._last_step, now

    def on_train_epoch_end(self, trainer: pl.Trainer, module: Any) -> None:
        self.require_finite(trainer, module)
        self._epochs += 1
        values = {name: float(value) for name, value in trainer.callback_metrics.items()}
        values["loss"] = float(self._loss) / max(self._pairs, 1)
        values["interactions_per_second"], values["seconds"] = self.interactions_per_second, self.seconds
        self._loss, self._pairs = 0.0, 0
        self._run.log(self._series, trainer.current_epoch, values)
        monitor = f"validation_{module.config.monitor}"
        judged = f", {monitor.replace('_', ' ')} {values[monitor]:.4f}" if monitor in values else ""
        log(
            f"{self._series} epoch {trainer.current_epoch + 1}: loss {values['loss']:.4f}{judged}, "
            f"{self.interactions_per_second:,.0f} interactions/s"
        )

    def require_finite(self, trainer: pl.Trainer, module: Any) -> None:
        """Raise TrainingError when a loss since the epoch began, or a weight, is no number: asked before each
        checkpoint."""
        loss = float(self._loss)
        if math.isfinite(loss) and all(torch.isfinite(value).all() for value in module.encoder.parameters()):
            return
        what = "A weight became infinite or nan" if math.isfinite(loss) else f"The loss became {loss}"
        rate = module.config.learning_rate
        raise TrainingError(
            f"{what} in epoch {trainer.current_epoch + 1} of the {self._series} fit. Try a lower "
            "training.learning_rate (now "
            f"{rate:g}), such as {rate / 3:.2g}, or training.precision=32-true."
        )

    def summary(self) -> dict[str, float]:
        """The fit's entry in `run.json`."""
        return {
            "seconds": round(self.seconds, 1),
            "training_seconds": round(self._trained_seconds, 1),
            "epochs": self._epochs,
            "interactions_per_second": round(self.interactions_per_second),
        }
