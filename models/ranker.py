"""The ranker: a small network from the features of a candidate to a score."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class RankerNetwork(nn.Module):
    """A linear score, plus an MLP with two hidden layers if `hidden_dim` > 0. Shapes: (..., F) → (...)."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, *, num_features: int, hidden_dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(num_features))
        self.register_buffer("deviation", torch.ones(num_features))
        self.linear = nn.Linear(num_features, 1)
        nn.init.zeros_(self.linear.weight)
        self.correction = (
            nn.Sequential(
                nn.Linear(num_features, hidden_dim),
                nn.GELU(),
                nn.Linear(hidden_dim, hidden_dim),
                nn.GELU(),
                nn.Linear(hidden_dim, 1),
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

    def forward(self, features: Tensor) -> Tensor:
        """Scores; comparable only within one list."""
        scaled = ((features - self.mean) / self.deviation).clamp(-8.0, 8.0)
        scores: Tensor = self.linear(scaled).squeeze(-1)
        if self.correction is not None:
            scores = scores + self.correction(scaled).squeeze(-1)
        return scores
