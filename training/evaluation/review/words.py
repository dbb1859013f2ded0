"""How figures and systems are written for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from training.evaluation.review.breakdowns import Difference
from training.evaluation.review.html import Html, tag
from training.evaluation.systems import system_label

HEADLINE_IN_WORDS = (
    "Capped recall@{k}: of the {k} places in a list (or of what the user took, where that is less), the "
    "share filled with what "
    "the user really took in the {window} after the split point. 1 is perfect. In brackets: 95 % bootstrap "
    "interval over users."
)


def system_name(system: str) -> str:
    return system_label(system)


def interval(values: Sequence[float] | None) -> str:
    """`0.3239 (0.3140 to 0.3341)`; a dash where there is none."""
    return f"{values[0]:.4f} ({values[1]:.4f} to {values[2]:.4f})" if values else "–"


def signed(difference: Difference) -> str:
    """`+0.0103 (+0.0080 to +0.0125)`."""
    return f"{difference.mean:+.4f} ({difference.low:+.4f} to {difference.high:+.4f})"


def best_validation(fit: Mapping[str, float]) -> str:
    """`recall 0.3241`: what `training.monitor` watched in a fit, at its best; a dash where nothing was."""
    found = [
        f"{metric} {fit[entry]:.4f}"
        for metric in ("recall", "ndcg")
        if (entry := f"best_validation_{metric}") in fit
    ]
    return ", ".join(found) or "–"


def verdict(difference: Difference) -> Html:
    """In green or red where it is clear."""
    css = {"better": "good", "worse": "bad"}.get(difference.verdict, "dim")
    return tag("span", difference.verdict, css=css)
