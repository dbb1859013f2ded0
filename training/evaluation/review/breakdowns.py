"""Quality in parts, and differences between systems in parts: every figure with its 95 % interval and its
number of users."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from configs.schema import EvaluationConfig
from training.evaluation.ranking_metrics import difference_interval, means_and_intervals
from training.evaluation.review.user_figures import PIPELINE, UserFigures

Interval = tuple[float, float, float]
"""(mean, low, high)"""


@dataclass(frozen=True)
class Breakdown:
    """One part of the table."""

    by: str
    """`all`, `history`, `popularity` or `repeat / new`"""
    name: str
    num_users: int
    systems: dict[str, Interval]
    """system → capped recall"""


@dataclass(frozen=True)
class Difference:
    """How much better the pipeline is than something else, over the same users."""

    over: str
    """A source, or another run"""
    by: str
    name: str
    num_users: int
    mean: float
    low: float
    high: float

    @property
    def verdict(self) -> Literal["better", "worse", "no clear difference"]:
        """Clear where the interval leaves zero out."""
        if self.low > 0:
            return "better"
        return "worse" if self.high < 0 else "no clear difference"


def breakdowns(figures: UserFigures, config: EvaluationConfig) -> list[Breakdown]:
    """Every system on every part of the table; parts without users are left out."""
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


def over_sources(figures: UserFigures, config: EvaluationConfig) -> list[Difference]:
    """The pipeline minus each source alone, over all users, the closest source first."""
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
    figures: UserFigures, other: UserFigures, *, name: str, config: EvaluationConfig
) -> list[Difference]:
    """This pipeline minus another run's, on every part of the table.

    Parts over other users than the other run's are left out: there is nothing to pair.
    """
    found = []
    theirs = {(part.by, part.name): part for part in other.slices()}
    for part in figures.slices():
        same = theirs.get((part.by, part.name))
        if same is None or not len(part.users) or not np.array_equal(part.users, same.users):
            continue
        paired = difference_interval(
            part.values[PIPELINE], same.values[PIPELINE], samples=config.bootstrap_samples, seed=config.seed
        )
        found.append(Difference(name, part.by, part.name, len(part.users), *paired))
    return found


def as_json(rows: list[Breakdown] | list[Difference]) -> list[dict[str, Any]]:
    """Plain entries for `evaluation.json`."""
    found: list[dict[str, Any]] = [_rounded(asdict(row)) for row in rows]
    return found


def breakdowns_of(summary: dict[str, Any]) -> list[Breakdown]:
    """The breakdowns of an `evaluation.json`; none where another version wrote it."""
    rows = summary.get("breakdowns", [])
    return [
        Breakdown(row["by"], row["name"], row["num_users"], {k: tuple(v) for k, v in row["systems"].items()})
        for row in rows
    ]


def differences_of(summary: dict[str, Any]) -> list[Difference]:
    """The differences to sources of an `evaluation.json`."""
    return [Difference(**row) for row in summary.get("over_sources", [])]


def _rounded(value: Any) -> Any:
    """The same with numbers of five places."""
    match value:
        case float():
            return round(value, 5)
        case dict():
            return {key: _rounded(inner) for key, inner in value.items()}
        case tuple() | list():
            return [_rounded(inner) for inner in value]
        case _:
            return value
