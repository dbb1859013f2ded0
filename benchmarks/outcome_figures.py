"""What lists bring by outcome, and whether probabilities are what happens. Shapes: C candidates of one user,
F features, K outcomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from configs.console import progress
from configs.schema import Config
from configs.settings.outcomes import OUTCOME_EVENT_TYPES, OUTCOMES
from features.dataset import Dataset
from features.histories import IntArray
from features.splits import SplitPoint, targets_between
from models.ranker import RankerNetwork
from serving.recommend.item_money import item_prices
from serving.recommend.pipeline import Pipeline
from training.evaluation.ranking_metrics import difference_interval, mean_and_interval
from training.queries import query_at

K: Final = 20
BANDS: Final = (0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1)
"""Edges of the bands of probabilities in a reliability table."""


@dataclass(frozen=True)
class Candidates:
    """One user's at the test split point."""

    items: IntArray
    """(C,)"""
    features: NDArray[np.float32]
    """(C, F)"""
    had: Mapping[str, IntArray]
    """Outcome → the distinct items that the user had it with in the window"""

    @torch.no_grad()
    def scores(self, network: RankerNetwork) -> NDArray[np.float32]:
        """(C,) the one score, not the probabilities."""
        scores: NDArray[np.float32] = network.logits(torch.from_numpy(self.features))[:, 0].numpy()
        return scores


def outcome_candidates(
    pipeline: Pipeline,
    dataset: Dataset,
    point: SplitPoint,
    later: SplitPoint,
    *,
    config: Config,
    num_users: int,
) -> list[Candidates]:
    """The candidates of users with an event between the split points, at most so many, drawn by seed."""
    starts, ends = point.to_predict(later)
    users = np.flatnonzero(ends > starts)
    if len(users) > num_users:
        users = np.sort(np.random.default_rng(config.evaluation.seed).choice(users, num_users, replace=False))
    windows = {
        name: targets_between(dataset, point, later, targets=dict.fromkeys(OUTCOME_EVENT_TYPES[name], 1.0))
        for name in OUTCOMES
        if name in (config.ranker.outcomes or {})
    }
    nothing = np.empty(0, np.int32)
    found = []
    with progress("candidates", total=len(users)) as work:
        for user in users.tolist():
            candidates, _ = pipeline.candidates(
                query_at(dataset, point, user), limit=config.retrievers.max_candidates
            )
            had: dict[str, IntArray] = {name: one.get(user, nothing) for name, one in windows.items()}
            found.append(Candidates(candidates.items, candidates.features, had))
            work.advance()
    return found


def figures(
    systems: Mapping[str, Sequence[NDArray[np.float32]]],
    found: Sequence[Candidates],
    pipeline: Pipeline,
    config: Config,
) -> dict[str, Any]:
    """System → outcome → recall@20, the share of what it cost, and the difference of both from the first
    system, each a mean with its interval over the users that had the outcome."""
    prices = item_prices(pipeline.bundle)
    rows: dict[str, Any] = {}
    outcomes = list(found[0].had)
    values = {
        system: {
            name: np.array(
                [
                    _shares(one.items[np.argsort(-score, kind="stable")][:K], one.had[name], prices)
                    for one, score in zip(found, scores, strict=True)
                    if len(one.had[name])
                ]
            )
            for name in outcomes
        }
        for system, scores in systems.items()
    }
    first = next(iter(values.values()))
    drawn = {"samples": config.evaluation.bootstrap_samples, "seed": config.evaluation.seed}
    for system, of_outcomes in values.items():
        rows[system] = {
            name: {
                "num_users": len(shares),
                **{
                    metric: {
                        "value": mean_and_interval(shares[:, place], **drawn),
                        "difference": difference_interval(shares[:, place], first[name][:, place], **drawn),
                    }
                    for place, metric in enumerate(("recall", "spend"))
                },
            }
            for name, shares in of_outcomes.items()
        }
    return rows


def _shares(shown: IntArray, had: IntArray, prices: NDArray[np.float32]) -> tuple[float, float]:
    """(of the items that the user had, the share that is shown; the same weighed by price)."""
    hits = had[np.isin(had, shown)]
    total = float(prices[had].sum())
    return len(hits) / len(had), float(prices[hits].sum()) / total if total else 0.0


@torch.no_grad()
def reliability(network: RankerNetwork, found: Sequence[Candidates]) -> dict[str, list[dict[str, float]]]:
    """Outcome → for each band of probability: candidates, mean probability, and the share that happened."""
    features = torch.from_numpy(np.concatenate([one.features for one in found]))
    probabilities = network(features)[:, 1:].numpy()
    table: dict[str, list[dict[str, float]]] = {}
    for place, name in enumerate(network.outcomes):
        happened = np.concatenate([np.isin(one.items, one.had[name]) for one in found])
        said = probabilities[:, place]
        band = np.digitize(said, BANDS[1:-1])
        table[name] = [
            {
                "from": BANDS[number],
                "to": BANDS[number + 1],
                "candidates": int(inside.sum()),
                "said": float(said[inside].mean()),
                "happened": float(happened[inside].mean()),
            }
            for number in range(len(BANDS) - 1)
            if (inside := band == number).any()
        ]
    return table
