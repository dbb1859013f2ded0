"""Recall and NDCG of a system in every ranking, a number a user.

Shape suffixes: B users of a batch, M candidates, N items, P pairs of a user and a target, R rows with
a target.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.cold.split import Ranking
from benchmarks.published_baselines import Scorer
from configs.schema import Config
from features.core.artefact import writing_file
from features.dataset import Dataset
from features.splits import SplitPoint, targets_between
from training.encoder.target_ranks import metrics_of_ranks, target_ranks
from training.encoder.validation import ValidationBatch, validation_batches, validation_rows

METRICS = ("recall_20", "ndcg_10")
_DEPTH = 20
_MAX_SCORES = 10_000_000
"""Scores of 64 bits held in memory at once"""
_LOT = 1e-9
"""Far below the difference of any two scores of 32 bits that are not equal"""

Measured = Mapping[str, Mapping[str, NDArray[np.float64]]]
"""Ranking → metric → a number a user (U,), NaN for a user without a target in that ranking."""


@dataclass(frozen=True)
class Users:
    """Who is tested, and with what."""

    batches: Sequence[ValidationBatch]

    @classmethod
    def after(cls, dataset: Dataset, point: SplitPoint, end: SplitPoint, *, config: Config) -> Users:
        """Everyone with a history before `point` that the encoder reads, and a target between it and
        `end`."""
        relevant = targets_between(dataset, point, end, targets=config.history.targets)
        return cls.of(dataset, point, relevant, config=config)

    @classmethod
    def of(
        cls, dataset: Dataset, point: SplitPoint, relevant: Mapping[int, NDArray[np.int32]], *, config: Config
    ) -> Users:
        """Users with these targets. What a user's history has is `excluded` of each batch."""
        seen = config.evaluation.model_copy(update={"exclude_seen": True})
        rows = validation_rows(
            dataset, point, relevant, config=config.model_copy(update={"evaluation": seen})
        )
        most = max(1, _MAX_SCORES // dataset.num_items)
        return cls(validation_batches(rows, batch_tokens=config.training.batch_tokens, max_rows=most))

    @property
    def indices(self) -> NDArray[np.int64]:
        """(U,) in the order of everything that is measured."""
        return np.array([user for batch in self.batches for user in batch.users_B])


def kept_or_measured(path: Path, measure_now: Callable[[], Measured]) -> Measured:
    """What an earlier call wrote to `path`, or what is measured now, which is then kept there."""
    if path.is_file():
        with np.load(path) as kept:
            measured: dict[str, dict[str, NDArray[np.float64]]] = {}
            for name in kept.files:
                ranking, metric = name.split("/")
                measured.setdefault(ranking, {})[metric] = kept[name]
            return measured
    found = measure_now()
    flat = {f"{ranking}/{metric}": values for ranking, one in found.items() for metric, values in one.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    with writing_file(path) as scratch, scratch.open("wb") as file:
        np.savez(file, **flat)  # type: ignore[arg-type]
    return found


@torch.no_grad()
def measure(scorer: Scorer, users: Users, rankings: Sequence[Ranking]) -> Measured:
    """Score every user's items once, and rank the targets in every ranking. Lots decide among equal scores,
    another time for each user: items of one category have one vector where a tower knows no more of them."""
    generator = torch.Generator().manual_seed(0)
    parts: dict[str, dict[str, list[Tensor]]] = {
        ranking.name: {metric: [] for metric in METRICS} for ranking in rankings
    }
    for batch in users.batches:
        scores_BN = with_lots(scorer(batch), generator)
        for ranking in rankings:
            found = ranked(scores_BN, batch, ranking)
            for metric in METRICS:
                parts[ranking.name][metric].append(found[metric])
    return {
        name: {metric: torch.cat(values).numpy() for metric, values in of_metric.items()}
        for name, of_metric in parts.items()
    }


def with_lots(scores_BN: Tensor, generator: torch.Generator) -> Tensor:
    """In 64 bits, with equal ones in an order that is drawn."""
    exact_BN = scores_BN.double()
    exact_BN += _LOT * torch.rand(exact_BN.shape, generator=generator)
    return exact_BN


def ranked(scores_BN: Tensor, batch: ValidationBatch, ranking: Ranking) -> dict[str, Tensor]:
    """Metric → (B,) of one ranking, NaN for a user without a target in it. A tie counts as a worse rank."""
    seen_BN = torch.zeros(scores_BN.shape, dtype=torch.bool)
    if not ranking.with_seen:
        seen_BN[batch.excluded_row_X, batch.excluded_item_X] = True
    row_P, item_P = batch.target_row_P, batch.target_item_P
    wanted_P = torch.from_numpy(ranking.targets_N)[item_P] & ~seen_BN[row_P, item_P]
    rows_R, row_P = torch.unique_consecutive(row_P[wanted_P], return_inverse=True)
    candidates_M = torch.from_numpy(np.flatnonzero(ranking.candidates_N))
    place_P = torch.searchsorted(candidates_M, item_P[wanted_P])
    empty = {metric: torch.full((len(batch.users_B),), torch.nan, dtype=torch.float64) for metric in METRICS}
    if not len(rows_R):
        return empty
    scores_RM = scores_BN[rows_R][:, candidates_M]
    scores_RM.masked_fill_(seen_BN[rows_R][:, candidates_M], -torch.inf)
    rank_P = target_ranks(scores_RM, row_P, place_P, depth=_DEPTH)
    found = metrics_of_ranks(rank_P, row_P, num_rows=len(rows_R), cutoffs=(10, 20))
    for metric, values_B in empty.items():
        values_B[rows_R] = found[metric]
    return empty
