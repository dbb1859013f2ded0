"""Retrievers that need no training, as baselines of the published protocols.

Shape suffixes: B users of a batch, N items.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from configs.schema import Config
from features.dataset import Dataset
from features.histories import History, IntArray
from features.profiles.item_neighbours import (
    Neighbours,
    basket_neighbours,
    next_neighbours,
    weighted_neighbours,
)
from features.profiles.item_popularity import popularity
from features.splits import SplitPoint, targets_before
from training.encoder.validation import ValidationBatch

Scorer = Callable[[ValidationBatch], Tensor]
"""A batch's scores (B, N): higher is better, -inf for an item that is in no list."""


@dataclass(frozen=True)
class TargetEvents:
    """Everyone's target events before a split point: what baselines are fitted on. Shape: E events."""

    users: IntArray
    """(E,)"""
    events: History
    weights: NDArray[np.float32]
    """(E,)"""

    @classmethod
    def before(cls, dataset: Dataset, point: SplitPoint, *, config: Config) -> TargetEvents:
        """The events of `history.targets` before `point`."""
        return cls(*targets_before(dataset, point, targets=config.history.targets))


class Baselines:
    """Popularity, repurchase, co-occurrence and next basket: fitted at one split point, tested at another."""

    def __init__(
        self, dataset: Dataset, targets: TargetEvents, *, fit: SplitPoint, test: SplitPoint, config: Config
    ) -> None:
        self._dataset, self._targets, self._test_point, self._config = dataset, targets, test, config
        settings, num_items = config.retrievers, dataset.num_items
        counts_N = popularity(
            targets.events, weights=targets.weights, num_items=num_items, as_of=fit.as_of, days=None
        )
        self._popularity_N = torch.from_numpy(counts_N).double() / (counts_N.max() + 1.0) - 1.0
        """Between -1 and 0, so that any score above 0 comes first."""
        self._same_user = basket_neighbours(
            replace(targets.events, baskets=targets.users.astype(np.int64)),
            num_items=num_items,
            as_of=fit.as_of,
            num_neighbours=settings.num_neighbours,
        )
        self._next_basket = next_neighbours(
            targets.users,
            targets.events,
            num_items=num_items,
            as_of=fit.as_of,
            num_neighbours=settings.num_neighbours,
            days=settings.next_basket_days,
        )

    def scorers(self) -> dict[str, Scorer]:
        """Baseline → its scores; the names are those of `systems.published_baseline_labels`."""
        return {
            "popularity": self._popularity,
            "repurchase": self._repurchase,
            "co_occurrence": lambda batch: self._neighbours(batch, self._same_user),
            "next_basket": lambda batch: self._neighbours(batch, self._next_basket),
        }

    def _popularity(self, batch: ValidationBatch) -> Tensor:
        """By the weight of all target events before the split point."""
        scores_BN: Tensor = self._popularity_N.expand(len(batch.users_B), -1)
        return scores_BN.clone()

    def _repurchase(self, batch: ValidationBatch) -> Tensor:
        """By the number of times that the user had the item; other items are in no list."""
        scores_BN = torch.full((len(batch.users_B), self._dataset.num_items), -torch.inf, dtype=torch.float64)
        for row, user in enumerate(batch.users_B):
            items, counts = np.unique(self._history(user), return_counts=True)
            scores_BN[row, items.astype(np.int64)] = torch.from_numpy(counts.astype(np.float64))
        return scores_BN

    def _neighbours(self, batch: ValidationBatch, neighbours: Neighbours) -> Tensor:
        """By the sum of scores over the neighbours of the latest distinct items, then by popularity."""
        scores_BN = self._popularity(batch)
        for row, user in enumerate(batch.users_B):
            latest_first = self._history(user)[::-1]
            distinct, first = np.unique(latest_first, return_index=True)
            latest = distinct[np.argsort(first)][: self._config.retrievers.history_items]
            items, sums = weighted_neighbours(neighbours, latest, np.ones(len(latest), np.float32))
            scores_BN[row, items.astype(np.int64)] = torch.from_numpy(sums.astype(np.float64))
        return scores_BN

    def _history(self, user: int) -> NDArray[np.int32]:
        """Items before the test split point, the validation item among them."""
        return self._test_point.history(self._dataset, user).items
