"""Dropout with cheap random numbers on a CPU, where `F.dropout` draws one for every value."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LEVELS = 1 << 16
"""The probability is rounded to 1 / LEVELS: 16 of the 64 bits of a draw decide about one value."""


class Dropout(nn.Module):
    """Drop-in replacement of `nn.Dropout`. Uses torch's global random number generator.

    On a CPU it needs a quarter of the draws and no branch per value; benchmarks/training_step_ablation.py
    measures the gain. Source: Srivastava et al. 2014, jmlr.org/papers/v15/srivastava14a.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, values: Tensor) -> Tensor:
        """Values of any shape."""
        if not self.training or not self.probability:
            return values
        if values.device.type == "cpu":
            return values * _mask(values, self.probability)
        return F.dropout(values, self.probability)

    def extra_repr(self) -> str:
        """The probability, in what `print` shows of a model."""
        return f"probability={self.probability}"


def _mask(values: Tensor, probability: float) -> Tensor:
    """0 for dropped values, 1 / (1 - probability) for the others."""
    count = values.numel()
    draws = torch.empty((count + 3) // 4, dtype=torch.int64).random_(-(2**63), None).view(torch.int16)[:count]
    num_dropped = min(round(probability * LEVELS), LEVELS - 1)
    is_kept = draws.view(values.shape) >= num_dropped - LEVELS // 2
    return is_kept.to(values.dtype).mul_(LEVELS / (LEVELS - num_dropped))
