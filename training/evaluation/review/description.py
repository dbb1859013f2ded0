"""A run's description in MLflow: the headline, the verdicts and where to look next, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from training.evaluation.breakdowns import Difference
from training.evaluation.review.conclusion import conclusion
from training.evaluation.review.gather import AgainstChampion, Review
from training.evaluation.review.rendering import render

NUM_SETTINGS = 8
"""How many changed settings are listed"""


@dataclass(frozen=True)
class Description:
    """What `description.md` shows."""

    k: int
    headline: tuple[float, float, float]
    num_users: int
    conclusion: list[str]
    over_retrievers: list[Difference]
    champion: AgainstChampion | None
    num_settings: int
    data: Mapping[str, Any]


def description(review: Review) -> str:
    """Markdown for `mlflow.note.content`. It holds no text of the shop."""
    context = Description(
        k=review.k,
        headline=review.headline,
        num_users=review.num_users,
        conclusion=conclusion(review),
        over_retrievers=review.over_retrievers,
        champion=review.champion,
        num_settings=NUM_SETTINGS,
        data=review.data,
    )
    return render("description.md", context)
