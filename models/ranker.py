"""The ranker: a small network from the features of a candidate to a score and to probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class RankerNetwork(nn.Module):
    """A linear score, plus an MLP with two hidden layers if `hidden_dim` > 0. Shapes: (..., F) → (...).

    With K `outcomes` it has a head for each beside that of the score, over the same body (Caruana 1997,
    doi:10.1023/A:1007379606734): (..., F) → (..., 1 + K), the score and K calibrated probabilities.
    """

    mean: Tensor
    deviation: Tensor
    slope: Tensor
    offset: Tensor

    def __init__(self, *, num_features: int, hidden_dim: int, outcomes: Sequence[str] = ()) -> None:
        super().__init__()
        self.outcomes = tuple(outcomes)
        self.register_buffer("mean", torch.zeros(num_features))
        self.register_buffer("deviation", torch.ones(num_features))
        self.register_buffer("slope", torch.ones(len(outcomes)))
        self.register_buffer("offset", torch.zeros(len(outcomes)))
        num_heads = 1 + len(outcomes)
        self.linear = nn.Linear(num_features, num_heads)
        nn.init.zeros_(self.linear.weight)
        self.correction = (
            nn.Sequential(
                nn.Linear(num_features, hidden_dim),
                nn.GELU(),
                nn.Linear(hidden_dim, hidden_dim),
                nn.GELU(),
                nn.Linear(hidden_dim, num_heads),
            )
            if hidden_dim
            else None
        )

    def fit_scale(self, features: Tensor) -> None:
        """Standardise by the mean and standard deviation of `features` (C, F), which are part of the exported
        graph.

        A column that is the same everywhere becomes 0: divided by the rounding error of its mean, another
        value in a later window would drown all others.
        """
        low, high = features.aminmax(dim=0)
        is_constant = high - low <= 1e-6 * torch.maximum(low.abs(), high.abs())
        deviation = features.double().std(dim=0).clamp(min=1e-6)
        self.mean.copy_(features.double().mean(dim=0))
        self.deviation.copy_(torch.where(is_constant, torch.inf, deviation))

    def calibrate(self, slope: Sequence[float], offset: Sequence[float]) -> None:
        """A probability is sigmoid(slope * logit + offset), two numbers an outcome (Platt 1999)."""
        self.slope.copy_(torch.tensor(slope))
        self.offset.copy_(torch.tensor(offset))

    def logits(self, features: Tensor) -> Tensor:
        """(..., F) → (..., 1 + K): the score and the outcomes' logits before calibration."""
        scaled = ((features - self.mean) / self.deviation).clamp(-8.0, 8.0)
        logits: Tensor = self.linear(scaled)
        return logits if self.correction is None else logits + self.correction(scaled)

    def forward(self, features: Tensor) -> Tensor:
        """Scores, comparable only within one list; with outcomes, their probabilities after them."""
        logits = self.logits(features)
        if not self.outcomes:
            return logits.squeeze(-1)
        probabilities = torch.sigmoid(logits[..., 1:] * self.slope + self.offset)
        return torch.cat([logits[..., :1], probabilities], dim=-1)
