"""The gate: a run becomes champion when its pipeline beats every retriever alone and the present champion."""

from __future__ import annotations

from dataclasses import dataclass

from configs.schema import EvaluationConfig
from training.evaluation.breakdowns import over_run
from training.evaluation.evaluation_record import headline_metric
from training.evaluation.systems import PIPELINE
from training.evaluation.user_figures import UserFigures


@dataclass(frozen=True)
class Decision:
    """Whether a run becomes champion."""

    is_champion: bool
    why: str
    """The figures behind it, in one line"""


@dataclass(frozen=True)
class Rival:
    """The champion to beat, evaluated over the same users."""

    name: str
    figures: UserFigures


def decide(
    figures: UserFigures, rival: Rival | None, *, without_rival: str, config: EvaluationConfig
) -> Decision:
    """Compare a run's figures with those of every retriever alone, then with the rival's.

    Without a rival the retrievers alone decide; `without_rival` is the reason to give.
    """
    means = {system: float(parts["all"].mean()) for system, parts in figures.values.items()}
    best = max((system for system in means if system != PIPELINE), key=lambda system: means[system])
    found = (
        f"pipeline {headline_metric(config.headline_k)} {means[PIPELINE]:.4f}, best retriever alone {best} "
        f"{means[best]:.4f}"
    )
    if means[PIPELINE] <= means[best]:
        return Decision(False, f"{found}: a retriever alone is as good, so the champion stays")
    if rival is None:
        return Decision(True, f"{found}: {without_rival}")
    differences = over_run(figures, rival.figures, name=rival.name, config=config)
    if not differences or differences[0].by != "all":
        raise AssertionError("the same data and settings gave tables over different users")
    margin = differences[0]
    wins = margin.mean > 0
    return Decision(
        wins,
        f"{found}, against the champion {margin.mean:+.4f} ({margin.low:+.4f} to {margin.high:+.4f}): "
        f"{'the new champion' if wins else 'the champion stays'}",
    )
