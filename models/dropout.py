"""Dropout whose random numbers cost little on a CPU, where those of `F.dropout` are drawn one by one."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LEVELS = 1 << 16
"""A share is rounded to so many: a draw of 64 bits decides about four values."""


class Dropout(nn.Module):
    """Sets a share of the values to zero in training and enlarges the others; by torch's global generator.

    On a CPU a quarter of the draws of `F.dropout` and no branch a value; benchmarks/training_step_ablation.py says
    what that brings. Source: Srivastava et al. 2014, jmlr.org/papers/v15/srivastava14a.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, values: Tensor) -> Tensor:
        """Of any shape."""
        if not self.training or not self.share:
            return values
        return (
            values * _mask(values, self.share)
            if values.device.type == "cpu"
            else F.dropout(values, self.share)
        )

    def extra_repr(self) -> str:
        return f"share={self.share}"


def _mask(values: Tensor, share: float) -> Tensor:
    """0 for the dropped, 1 / (what is kept) for the others."""
    count = values.numel()
    draws = torch.empty((count + 3) // 4, dtype=torch.int64).random_(-(2**63), None).view(torch.int16)[:count]
    num_dropped = min(round(share * LEVELS), LEVELS - 1)
    is_kept = draws.view(values.shape) >= num_dropped - LEVELS // 2
    return is_kept.to(values.dtype).mul_(LEVELS / (LEVELS - num_dropped))
