"""The gate: a run becomes champion when its pipeline beats every retriever alone, and the present champion
where it has other settings.

A champion is settings and data. Other settings must win: the whole interval of the difference is above
zero. The champion's own settings on newer data must not lose: the interval is not wholly below zero.
"""

from __future__ import annotations

from dataclasses import dataclass

from configs.settings.lifecycle import EvaluationConfig, GateConfig
from training.evaluation.breakdowns import Difference, over_run
from training.evaluation.evaluation_record import headline_metric
from training.evaluation.systems import PIPELINE
from training.evaluation.user_figures import UserFigures


@dataclass(frozen=True)
class Decision:
    """Whether a run becomes champion."""

    is_champion: bool
    why: str
    """The figures behind it, in one line"""
    pipeline: float | None = None
    """The headline metric of the run's pipeline"""
    best_retriever: float | None = None
    """That of the best retriever alone"""
    over_champion: Difference | None = None
    """The run minus the champion; None where there was nothing to compare with"""


@dataclass(frozen=True)
class Rival:
    """The champion to compare with, evaluated over the same users."""

    name: str
    figures: UserFigures
    is_same_settings: bool = False
    """The run has the champion's settings and newer data: it must not lose, but need not win"""


def decide(
    figures: UserFigures,
    rival: Rival | None,
    *,
    without_rival: str,
    config: EvaluationConfig,
    gate: GateConfig,
) -> Decision:
    """Compare a run's figures with those of every retriever alone, then with the rival's.

    Without a rival the retrievers alone decide; `without_rival` is the reason to give.
    """
    means = {system: float(parts["all"].mean()) for system, parts in figures.values.items()}
    best = max((system for system in means if system != PIPELINE), key=lambda system: means[system])
    pipeline, alone = means[PIPELINE], means[best]
    found = (
        f"pipeline {headline_metric(config.headline_k)} {pipeline:.4f}, best retriever alone {best} "
        f"{alone:.4f}"
    )
    if pipeline <= alone:
        why = f"{found}: a retriever alone is as good, so the champion stays"
        return Decision(False, why, pipeline, alone)
    if rival is None:
        return Decision(True, f"{found}: {without_rival}", pipeline, alone)
    differences = over_run(figures, rival.figures, name=rival.name, config=config, confidence=gate.confidence)
    if not differences or differences[0].by != "all":
        raise AssertionError("the same data and settings gave tables over different users")
    margin = differences[0]
    passes, verdict = _verdict(margin, is_same_settings=rival.is_same_settings)
    why = (
        f"{found}, against the champion {margin.mean:+.4f} ({margin.low:+.4f} to {margin.high:+.4f}): "
        f"{verdict}"
    )
    return Decision(passes, why, pipeline, alone, margin)


def _verdict(margin: Difference, *, is_same_settings: bool) -> tuple[bool, str]:
    """(whether the run becomes champion, the reason in words)."""
    match margin.verdict, is_same_settings:
        case "better", _:
            return True, "the new champion"
        case "no clear difference", True:
            return True, "the new champion, with the same settings on newer data"
        case "worse", True:
            return False, "clearly worse on newer data with the same settings, so the champion stays"
        case "worse", False:
            return False, "worse, so the champion stays"
        case _:
            return False, "no clear difference, so the champion stays"
