"""Samples negatives for the losses: by popularity and uniformly, or in-batch.

Shapes: E target events, N items, K negatives, P pairs of a query and a target.
"""

from __future__ import annotations

import torch
from torch import Tensor


class NegativeSampler:
    """Samples from the items of the training targets, so that an item without any is never a negative."""

    def __init__(
        self, target_items_E: Tensor, *, num_items: int, num_negatives: int, popularity_sampling_ratio: float
    ) -> None:
        self._events_E = target_items_E
        counts_N = torch.bincount(target_items_E, minlength=num_items).double()
        self._known = torch.nonzero(counts_N).squeeze(1)
        self._num_popular = round(popularity_sampling_ratio * num_negatives)
        self._num_uniform = num_negatives - self._num_popular
        popular_N = counts_N / counts_N.sum()
        self._log_not_drawn_N = torch.log1p(-popular_N.clamp(max=1 - 1e-12))
        uniform = 1.0 / len(self._known)
        # log probability that no draw of either kind has the item; logs, because most items are rare
        missed_N = self._num_popular * self._log_not_drawn_N + self._num_uniform * _log1m(uniform)
        self._log_expected_N = torch.log(-torch.expm1(missed_N).clamp(max=-1e-12)).float()

    def draw(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Distinct ascending items (at most K), and the log probability that each is among them (logQ)."""
        device = self._events_E.device
        popular = torch.randint(len(self._events_E), (self._num_popular,), generator=generator, device=device)
        uniform = torch.randint(len(self._known), (self._num_uniform,), generator=generator, device=device)
        negatives_K = torch.unique(torch.cat([self._events_E[popular], self._known[uniform]]))
        return negatives_K, self._log_expected_N[negatives_K]

    def in_batch(self, targets_P: Tensor) -> tuple[Tensor, Tensor]:
        """In-batch negatives: the distinct targets, and their logQ. An item of frequency p is among P targets
        with probability 1 - (1 - p)^P."""
        negatives_K = torch.unique(targets_P)
        missed_K = len(targets_P) * self._log_not_drawn_N[negatives_K]
        return negatives_K, torch.log(-torch.expm1(missed_K).clamp(max=-1e-12)).float()

    def to(self, device: torch.device) -> None:
        """Move the tables, so that negatives are sampled on the device of the model."""
        self._events_E, self._known = self._events_E.to(device), self._known.to(device)
        self._log_expected_N = self._log_expected_N.to(device)
        self._log_not_drawn_N = self._log_not_drawn_N.to(device)


def _log1m(probability: float) -> float:
    return float(torch.log1p(torch.tensor(-min(probability, 1 - 1e-12), dtype=torch.float64)))
