"""Early stopping that keeps the weights of the best epoch in memory."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping
from torch import Tensor


class BestWeights(EarlyStopping):
    """Lightning's early stopping on `training.monitor`, plus a copy of the encoder that scored best.

    Must come before `ExponentialMovingAverage` in the list of callbacks, so that it copies the weights that
    were validated.
    """

    def __init__(self, *, monitor: str, patience: int) -> None:
        super().__init__(
            f"validation_{monitor}", mode="max", patience=patience, check_on_train_epoch_end=False
        )
        self.weights: dict[str, Tensor] = {}
        """On the CPU; empty before the first validation."""

    def state_dict(self) -> dict[str, Any]:
        """Lightning's state and the best weights."""
        return {**super().state_dict(), "weights": self.weights}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore all but the patience, which may differ when a run is resumed."""
        super().load_state_dict({**state_dict, "patience": self.patience})
        self.weights = state_dict["weights"]

    def on_validation_end(self, trainer: pl.Trainer, module: Any) -> None:
        """Keep the weights where the validation metric is the best so far."""
        super().on_validation_end(trainer, module)
        if self.wait_count == 0:  # this epoch is the best so far
            self.weights = {
                name: value.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
                for name, value in module.encoder.state_dict().items()
            }
