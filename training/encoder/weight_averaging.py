"""Exponential moving average (EMA) of the weights: what is validated, kept and served instead of the weights
of the last step.

Source: Polyak & Juditsky 1992; Izmailov et al. 2018 (arXiv:1803.05407) on why averaged weights generalise
better. See docs/decisions/0008 for why this is not Lightning's `EMAWeightAveraging`.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class ExponentialMovingAverage(Callback):
    """Averages the encoder after every step. Validation runs on the averaged encoder, training on the other.

    Must come after `BestWeights` in the list of callbacks, which copies the encoder that was validated.
    """

    def __init__(self, encoder: nn.Module, *, decay: float) -> None:
        self._average = AveragedModel(encoder, multi_avg_fn=partial(_update, decay=decay)).eval()
        self._average.update_parameters(encoder)  # starts from the initial weights
        self._trained = encoder

    @property
    def encoder(self) -> nn.Module:
        """The encoder with the averaged weights."""
        return self._average.module

    def state_dict(self) -> dict[str, Any]:
        """The averaged weights and the number of steps."""
        return self._average.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue with the average of a checkpoint."""
        self._average.load_state_dict(state_dict)

    def on_fit_start(self, trainer: pl.Trainer, module: Any) -> None:
        """Move the weights, but not the step counter: reading it from a GPU would wait for every step."""
        self.encoder.to(module.device)

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Move the average towards the present weights."""
        self._average.update_parameters(module.encoder)

    def on_validation_start(self, trainer: pl.Trainer, module: Any) -> None:
        """Validate with the average."""
        self._trained, module.encoder = module.encoder, self.encoder

    def on_validation_end(self, trainer: pl.Trainer, module: Any) -> None:
        """Go on training with the present weights."""
        module.encoder = self._trained


def _update(averaged: list[Tensor], weights: list[Tensor], num_steps: Tensor | int, *, decay: float) -> None:
    """One step of the average, in place. The decay warms up, so that the initial weights soon fade."""
    steps = int(num_steps)
    update = get_ema_multi_avg_fn(min(decay, (1 + steps) / (10 + steps)))  # type: ignore[no-untyped-call]
    update(averaged, weights, steps)
