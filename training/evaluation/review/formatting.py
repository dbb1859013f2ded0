"""How numbers and differences are written on the pages."""

from __future__ import annotations

from collections.abc import Sequence

from training.evaluation.breakdowns import Difference
from training.runs.record import FitSummary


def slice_label(difference: Difference) -> str:
    """`history: 3 to 30`, `repeat items`."""
    if difference.by in ("history", "popularity"):
        return f"{difference.by}: {difference.name}"
    return difference.name


def number(value: float, digits: int = 0) -> str:
    """`1,234`; with `digits=4`, `0.3239`."""
    return f"{value:,.{digits}f}"


def plus(value: float) -> str:
    """With its sign: `+0.0103`."""
    return f"{value:+.4f}"


def interval(values: Sequence[float] | None) -> str:
    """`0.3239 (0.3140 to 0.3341)`; a dash for None."""
    if values is None:
        return "–"
    mean, low, high = values
    return f"{mean:.4f} ({low:.4f} to {high:.4f})"


def signed(difference: Difference) -> str:
    """`+0.0103 (+0.0080 to +0.0125)`."""
    return f"{difference.mean:+.4f} ({difference.low:+.4f} to {difference.high:+.4f})"


def setting(value: object) -> str:
    """The value of a setting; `not there` for None, where a run's version does not know the setting."""
    return "not there" if value is None else str(value)


def best_validation(fit: FitSummary) -> str:
    """`recall 0.3241`: the best value of the metric that a fit was monitored by; a dash without any."""
    best = {"recall": fit.best_validation_recall, "ndcg": fit.best_validation_ndcg}
    return ", ".join(f"{metric} {value:.4f}" for metric, value in best.items() if value is not None) or "–"
