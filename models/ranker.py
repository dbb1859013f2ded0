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
        graph."""
        self.mean.copy_(features.mean(dim=0))
        self.deviation.copy_(features.std(dim=0).clamp(min=1e-6))

    def forward(self, features: Tensor) -> Tensor:
        """Scores; comparable only within one list."""
        scaled = ((features - self.mean) / self.deviation).clamp(-8.0, 8.0)
        scores: Tensor = self.linear(scaled).squeeze(-1)
        if self.correction is not None:
            scores = scores + self.correction(scaled).squeeze(-1)
        return scores
