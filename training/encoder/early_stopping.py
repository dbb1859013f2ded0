"""When the first fit ends, by patience or by time, and the best weights it had."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

from training.encoder.recorder import Recorder


class EarlyStopping(Callback):
    """Watches `training.monitor` on the validation window. Its state goes into the checkpoint: a kill changes
    no decision."""

    def __init__(self, recorder: Recorder, *, monitor: str, patience: int, max_minutes: float | None) -> None:
        self._recorder, self._patience, self._max_minutes = recorder, patience, max_minutes
        self._monitor, self._waited = monitor, 0
        self.best: float | None = None
        """The best so far; None before the first epoch's end."""
        self.weights: dict[str, Any] = {}
        """The encoder's at that time."""

    def state(self) -> dict[str, Any]:
        """What a checkpoint needs to know."""
        return {"waited": self._waited, "best": self.best, "weights": self.weights}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._waited, self.best, self.weights = state["waited"], state["best"], state["weights"]

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._max_minutes is not None and self._recorder.seconds > 60 * self._max_minutes:
            trainer.should_stop = True

    def on_train_epoch_end(self, trainer: pl.Trainer, module: Any) -> None:
        found = float(trainer.callback_metrics[f"validation_{self._monitor}"])
        if self.best is None or found > self.best:
            self.best, self._waited = found, 0
            self.weights = {
                name: value.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
                for name, value in module.encoder.state_dict().items()
            }
        else:
            self._waited += 1
        if self._waited >= self._patience:
            trainer.should_stop = True
