"""The test of a published protocol: each user's held-out items, ranked once within the whole catalogue.

The model and the baselines are fitted on the same events: those before the validation item, or with
`training.refit_epochs` those before the test item. The history at test time is everything before the test
item. With `evaluation.exclude_seen` the history's items are removed from the list. A tie counts as a worse
rank.

Shape suffixes: B users of a batch, N items, P pairs of a user and a target.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.published_baselines import Baselines, Scorer, TargetEvents
from configs.console import progress
from configs.schema import Config
from features.dataset import Dataset
from features.splits import Timeline
from models.encoder import Encoder
from training.encoder.target_ranks import NOWHERE, metrics_of_ranks
from training.encoder.validation import ValidationBatch, encoder_scores, ranks, validation_loader
from training.evaluation.ranking_metrics import summarise

CUTOFFS = (5, 10, 20)


@dataclass(frozen=True)
class UserMetrics:
    """A system's metrics, one number per user, in the order of `users`."""

    users: NDArray[np.int64]
    metrics: Mapping[str, NDArray[np.float64]]
    """`recall_k` (of the relevant items; with one target it equals the hit rate), `ndcg_k` and `mrr`"""

    def summary(self, config: Config) -> dict[str, tuple[float, float, float]]:
        """Metric → mean over users with its 95 % bootstrap interval."""
        columns = zip(*self.metrics.values(), strict=True)
        rows = [dict(zip(self.metrics, row, strict=True)) for row in columns]
        return summarise(rows, samples=config.evaluation.bootstrap_samples, seed=config.evaluation.seed)


class PublishedTest:
    """The test users of a dataset as batches, for any number of systems to compare."""

    def __init__(self, dataset: Dataset, timeline: Timeline, *, config: Config) -> None:
        self.dataset, self.config = dataset, config
        first, self._test_point, full = timeline
        self.point = self._test_point if config.training.refit_epochs else first
        self.batches: list[ValidationBatch] = list(
            validation_loader(dataset, self._test_point, full, config=config, max_users=dataset.num_users)
        )
        self._targets = TargetEvents.before(dataset, self.point, config=config)
        counts_N = np.bincount(self._targets.events.items, minlength=dataset.num_items)
        self.known_N = torch.from_numpy(counts_N > 0)
        """Items with a target event before the split point: those in the training data"""

    @property
    def num_cold_targets(self) -> int:
        """Number of targets that are not in the training data."""
        return int(sum((~self.known_N[batch.target_item_P]).sum() for batch in self.batches))

    @torch.no_grad()
    def evaluate_encoder(self, encoder: Encoder, *, device: torch.device) -> UserMetrics:
        """An item that is not in the training data is ranked last, unless its vector comes from the
        catalogue."""
        encoder = encoder.to(device).eval()
        has_vector_N = self.known_N.to(device)
        if encoder.item_tower is not None and self.dataset.has_catalogue:
            has_vector_N = torch.ones_like(has_vector_N)
        items_N = torch.arange(self.dataset.num_items, device=device)
        vectors_ND = encoder.item_vectors(items_N) * has_vector_N[:, None]
        return self._evaluate(
            "encoder",
            lambda batch: encoder_scores(encoder, batch, vectors_ND),
            can_be_shown_N=has_vector_N,
            device=device,
        )

    def evaluate_baselines(self) -> dict[str, UserMetrics]:
        """Each retriever that needs no training, alone."""
        baselines = Baselines(
            self.dataset, self._targets, fit=self.point, test=self._test_point, config=self.config
        )
        every_item_N = torch.ones(self.dataset.num_items, dtype=torch.bool)
        cpu = torch.device("cpu")
        return {
            name: self._evaluate(name, scorer, can_be_shown_N=every_item_N, device=cpu)
            for name, scorer in baselines.scorers().items()
        }

    def _evaluate(
        self, name: str, scorer: Scorer, *, can_be_shown_N: Tensor, device: torch.device
    ) -> UserMetrics:
        has_one_target = all(len(batch.target_row_P) == len(batch.users_B) for batch in self.batches)
        users: list[int] = []
        parts: list[dict[str, Tensor]] = []
        num_users = sum(len(batch.users_B) for batch in self.batches)
        with progress(f"ranking the catalogue: {name}", total=num_users) as work:
            for batch in self.batches:
                on_device = batch.to(device)
                rank_P = ranks(
                    scorer(on_device), on_device, can_be_shown_N=can_be_shown_N, depth=max(CUTOFFS)
                )
                parts.append(_metrics(rank_P.cpu(), batch, has_one_target=has_one_target))
                users += batch.users_B
                work.advance(len(batch.users_B))
        metrics = {name: torch.cat([part[name] for part in parts]).numpy() for name in parts[0]}
        return UserMetrics(np.array(users), metrics)


def _metrics(rank_P: Tensor, batch: ValidationBatch, *, has_one_target: bool) -> dict[str, Tensor]:
    """Metric → (B,). With one target per user MRR is over the whole ranking, else over its first places."""
    num_users, row_P = len(batch.users_B), batch.target_row_P
    found = metrics_of_ranks(rank_P, row_P, num_rows=num_users, cutoffs=CUTOFFS)
    kept = {name: values for name, values in found.items() if name.startswith(("recall", "ndcg"))}
    if has_one_target:
        return {**kept, "mrr": torch.where(rank_P < NOWHERE, 1.0 / (rank_P.double() + 1.0), 0.0)}
    return {**kept, "mrr": found[f"mrr_{max(CUTOFFS)}"]}
