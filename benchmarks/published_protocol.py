"""The test of a published protocol: every user's held-back items in a ranking of the whole catalogue, read
once.

Model and baselines know the same: what came before the validation item, or with `training.refit_epochs` what
came before the test item. The history that they answer to is all before the test item. As
`evaluation.exclude_seen` says, the history's items are taken out of the list. Ties count against us.

Shape suffixes: B users of a batch, N items, P pairs of a user and a target.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from configs.console import progress
from configs.schema import Config
from features.dataset import Dataset
from features.profiles.item_popularity import popularity
from features.retrievers.item_neighbours import (
    Neighbours,
    basket_neighbours,
    neighbour_scores,
    next_neighbours,
)
from features.splits import SplitPoint, targets_before
from models.encoder import Encoder
from training.encoder.target_ranks import NOWHERE, metrics_of_ranks
from training.encoder.validation import ValidationBatch, encoder_scores, ranks, validation_loader
from training.evaluation.ranking_metrics import summarise

CUTOFFS = (5, 10, 20)
Timeline = tuple[SplitPoint, SplitPoint, SplitPoint]
Scores = Callable[[ValidationBatch], Tensor]
"""What ranks: a batch's scores (B, N), higher is better, -inf for what is in no list."""


@dataclass(frozen=True)
class Judged:
    """One number a user and metric, in the order of `users`."""

    users: NDArray[np.int64]
    metrics: Mapping[str, NDArray[np.float64]]
    """`recall_k` (of the relevant; with one target it is HR), `ndcg_k` and `mrr`"""

    def summary(self, config: Config) -> dict[str, tuple[float, float, float]]:
        """Metric → mean over users with its 95 % bootstrap interval."""
        columns = zip(*self.metrics.values(), strict=True)
        rows = [dict(zip(self.metrics, row, strict=True)) for row in columns]
        return summarise(rows, samples=config.evaluation.bootstrap_samples, seed=config.evaluation.seed)


class PublishedTest:
    """The test users of a dataset as batches, for as many systems as are to be compared."""

    def __init__(self, dataset: Dataset, timeline: Timeline, *, config: Config) -> None:
        self.dataset, self.config = dataset, config
        first, self._test_cut, full = timeline
        self.point = self._test_cut if config.training.refit_epochs else first
        self.batches: list[ValidationBatch] = list(
            validation_loader(dataset, self._test_cut, full, config=config, max_users=dataset.num_users)
        )
        users, events, weights = targets_before(dataset, self.point, targets=config.history.targets)
        self.past_users, self.past, self.past_weights = users, events, weights
        self.known_N = torch.from_numpy(np.bincount(events.items, minlength=dataset.num_items) > 0)
        """Items that somebody had before the split point: all that training could see"""

    @property
    def num_cold_targets(self) -> int:
        """Targets that training never saw."""
        return int(sum((~self.known_N[batch.target_item_P]).sum() for batch in self.batches))

    @torch.no_grad()
    def judge_encoder(self, encoder: Encoder, *, device: torch.device) -> Judged:
        """An item that training never saw has no vector and stands last; where the catalogue describes it, it
        has its own."""
        encoder = encoder.to(device).eval()
        has_vector_N = self.known_N.to(device)
        if encoder.item_tower is not None and self.dataset.has_catalogue:
            has_vector_N = torch.ones_like(has_vector_N)
        vectors_ND = (
            encoder.item_vectors(torch.arange(self.dataset.num_items, device=device)) * has_vector_N[:, None]
        )
        return self._judge(
            "the encoder",
            lambda batch: encoder_scores(encoder, batch, vectors_ND),
            can_be_shown_N=has_vector_N,
            device=device,
        )

    def judge_baselines(self) -> dict[str, Judged]:
        """Every source that needs no training, alone."""
        full = torch.ones(self.dataset.num_items, dtype=torch.bool)
        found = {}
        for name, scores in self._baselines().items():
            found[name] = self._judge(name, scores, can_be_shown_N=full, device=torch.device("cpu"))
        return found

    def _judge(self, name: str, scores: Scores, *, can_be_shown_N: Tensor, device: torch.device) -> Judged:
        one_target = all(len(batch.target_row_P) == len(batch.users_B) for batch in self.batches)
        users: list[int] = []
        parts: list[dict[str, Tensor]] = []
        with progress(
            f"ranking the catalogue: {name}", total=sum(len(batch.users_B) for batch in self.batches)
        ) as work:
            for batch in self.batches:
                there = batch.to(device)
                rank_P = ranks(scores(there), there, can_be_shown_N=can_be_shown_N, depth=max(CUTOFFS))
                parts.append(_metrics(rank_P.cpu(), batch, one_target=one_target))
                users += batch.users_B
                work.advance(len(batch.users_B))
        metrics = {name: torch.cat([part[name] for part in parts]).numpy() for name in parts[0]}
        return Judged(np.array(users), metrics)

    def _baselines(self) -> dict[str, Scores]:
        num_items, as_of, settings = self.dataset.num_items, self.point.as_of, self.config.candidates
        table: dict[str, Any] = {
            "num_items": num_items,
            "as_of": as_of,
            "num_neighbours": settings.num_neighbours,
        }
        of_users = replace(self.past, baskets=self.past_users.astype(np.int64))
        alike = basket_neighbours(of_users, **table)
        following = next_neighbours(self.past_users, self.past, **table, days=settings.together_days)
        return {
            "popular": self._popular,
            "own": self._own,
            "together": lambda batch: self._neighbours(batch, alike),
            "next": lambda batch: self._neighbours(batch, following),
        }

    def _popular(self, batch: ValidationBatch) -> Tensor:
        """By all target events before the split point: between -1 and 0."""
        counts_N = popularity(
            self.past,
            weights=self.past_weights,
            num_items=self.dataset.num_items,
            as_of=self.point.as_of,
            days=None,
        )
        scores_N = torch.from_numpy(counts_N).double() / (counts_N.max() + 1.0) - 1.0
        return scores_N.expand(len(batch.users_B), -1).clone()

    def _own(self, batch: ValidationBatch) -> Tensor:
        """How often the user had each item; what they never had is in no list."""
        scores_BN = torch.full((len(batch.users_B), self.dataset.num_items), -torch.inf, dtype=torch.float64)
        for row, user in enumerate(batch.users_B):
            items, counts = np.unique(self._history(user), return_counts=True)
            scores_BN[row, items.astype(np.int64)] = torch.from_numpy(counts.astype(np.float64))
        return scores_BN

    def _neighbours(self, batch: ValidationBatch, neighbours: Neighbours) -> Tensor:
        """Neighbours of the latest distinct items, by the sum of their scores; then what is popular."""
        scores_BN = self._popular(batch)
        for row, user in enumerate(batch.users_B):
            latest_first = self._history(user)[::-1]
            distinct, first = np.unique(latest_first, return_index=True)
            latest = distinct[np.argsort(first)][: self.config.retrievers.together_history]
            items, sums = neighbour_scores(neighbours, latest, np.ones(len(latest), np.float32))
            scores_BN[row, items.astype(np.int64)] = torch.from_numpy(sums.astype(np.float64))
        return scores_BN

    def _history(self, user: int) -> NDArray[np.int32]:
        """Items before the test split point, the validation item among them."""
        return self._test_cut.history(self.dataset, user).items


def _metrics(rank_P: Tensor, batch: ValidationBatch, *, one_target: bool) -> dict[str, Tensor]:
    """Of each user (B,). MRR is over the whole ranking where every user has one target, over its first places
    elsewhere."""
    num_users, row_P = len(batch.users_B), batch.target_row_P
    found = metrics_of_ranks(rank_P, row_P, num_rows=num_users, cutoffs=CUTOFFS)
    kept = {name: values for name, values in found.items() if name.startswith(("recall", "ndcg"))}
    return {
        **kept,
        "mrr": torch.where(rank_P < NOWHERE, 1.0 / (rank_P.double() + 1.0), 0.0)
        if one_target
        else found[f"mrr_{max(CUTOFFS)}"],
    }
