"""Capped recall of every system on every slice of the users, and paired differences between systems.

Every value comes with its 95 % bootstrap interval and its number of users.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from configs.settings.lifecycle import EvaluationConfig
from training.evaluation.ranking_metrics import difference_interval, means_and_intervals
from training.evaluation.systems import PIPELINE
from training.evaluation.user_figures import UserFigures

Interval = tuple[float, float, float]
"""(mean, low, high)"""


@dataclass(frozen=True)
class Breakdown:
    """Every system on one slice of the users."""

    by: str
    """`all`, `history`, `popularity` or `repeat / new`"""
    name: str
    num_users: int
    systems: dict[str, Interval]
    """system → capped recall"""


@dataclass(frozen=True)
class Difference:
    """The pipeline minus a retriever alone or another run, paired over the same users."""

    over: str
    """What is subtracted: a retriever, or another run"""
    by: str
    name: str
    num_users: int
    mean: float
    low: float
    high: float

    @property
    def verdict(self) -> Literal["better", "worse", "no clear difference"]:
        """Better or worse where the interval excludes zero."""
        if self.low > 0:
            return "better"
        return "worse" if self.high < 0 else "no clear difference"


def breakdowns(figures: UserFigures, config: EvaluationConfig) -> list[Breakdown]:
    """Every system on every slice; slices without users are left out."""
    found = []
    for part in figures.slices():
        if not len(part.users):
            continue
        values_UM = np.stack(list(part.values.values()), axis=1)
        intervals = means_and_intervals(values_UM, samples=config.bootstrap_samples, seed=config.seed)
        found.append(
            Breakdown(part.by, part.name, len(part.users), dict(zip(part.values, intervals, strict=True)))
        )
    return found


def over_retrievers(figures: UserFigures, config: EvaluationConfig) -> list[Difference]:
    """The pipeline minus each retriever alone, over all users, the closest retriever first."""
    everyone = next(figures.slices())
    found = []
    for system, values in everyone.values.items():
        if system != PIPELINE:
            paired = difference_interval(
                everyone.values[PIPELINE], values, samples=config.bootstrap_samples, seed=config.seed
            )
            found.append(Difference(system, "all", everyone.name, len(everyone.users), *paired))
    return sorted(found, key=lambda difference: difference.mean)


def over_run(
    figures: UserFigures,
    other: UserFigures,
    *,
    name: str,
    config: EvaluationConfig,
    confidence: float = 0.95,
) -> list[Difference]:
    """This run's pipeline minus another run's, on every slice.

    Slices over different users than the other run's are left out: they cannot be paired.
    """
    found = []
    theirs = {(part.by, part.name): part for part in other.slices()}
    for part in figures.slices():
        same = theirs.get((part.by, part.name))
        if same is None or not len(part.users) or not np.array_equal(part.users, same.users):
            continue
        paired = difference_interval(
            part.values[PIPELINE],
            same.values[PIPELINE],
            samples=config.bootstrap_samples,
            seed=config.seed,
            confidence=confidence,
        )
        found.append(Difference(name, part.by, part.name, len(part.users), *paired))
    return found
