"""The running mean of the weights over the last steps: what is judged, kept and served in place of the
weights of one step.

Source: Polyak & Juditsky 1992; Izmailov et al. 2018 (arXiv:1803.05407) for why the mean generalises better.
"""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor


class WeightAverage(Callback):
    """Keeps the mean beside the weights; validation sees the mean, training goes on with the weights.

    Stands after `Stopping` and before `Resumption` among the callbacks: the one takes the mean for the best
    weights, the other saves the weights and the mean apart.
    """

    def __init__(self, *, decay: float) -> None:
        self._decay, self._steps = decay, 0
        self._mean: dict[str, Tensor] = {}
        self._weights: dict[str, Tensor] = {}  # kept while the mean stands in their place

    def state(self) -> dict[str, Any]:
        """What a checkpoint needs to know."""
        return {"steps": self._steps, "mean": self._mean}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._steps, self._mean = state["steps"], state["mean"]

    def on_fit_start(self, trainer: pl.Trainer, module: Any) -> None:
        """Begin with the weights, or take the restored mean to where they are."""
        weights = _parameters(module)
        self._mean = {
            name: self._mean.get(name, value).detach().to(value.device, copy=True)
            for name, value in weights.items()
        }

    @torch.no_grad()
    def on_train_batch_end(
        self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._steps += 1
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps))  # the first steps are soon forgotten
        weights = _parameters(module)
        torch._foreach_lerp_(list(self._mean.values()), [weights[name] for name in self._mean], 1 - decay)

    def on_validation_start(self, trainer: pl.Trainer, module: Any) -> None:
        self._weights = {name: value.detach().clone() for name, value in _parameters(module).items()}
        _put(module, self._mean)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: Any) -> None:
        """After `Stopping` has had its copy. Without a validation the weights never left."""
        _put(module, self._weights)
        self._weights = {}

    def finish(self, module: Any) -> None:
        """The mean is what a fit that nothing judged ends with."""
        _put(module, self._mean)


def _parameters(module: Any) -> dict[str, Tensor]:
    return dict(module.encoder.named_parameters())


@torch.no_grad()
def _put(module: Any, values: dict[str, Tensor]) -> None:
    parameters = _parameters(module)
    for name, value in values.items():
        parameters[name].copy_(value)
