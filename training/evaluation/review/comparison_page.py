"""`comparison.html`: several runs on one page, each against the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from training.evaluation.breakdowns import Difference
from training.evaluation.evaluation_record import MeasuredIndexes
from training.evaluation.review import pictures
from training.evaluation.review.breakdown_kinds import BREAKDOWN_KINDS, BreakdownKind
from training.evaluation.review.gather import Review
from training.evaluation.review.rendering import render


@dataclass(frozen=True)
class ComparedRun:
    """One run beside the first."""

    review: Review
    over_first: list[Difference]
    """On every slice; empty for the first, and where the runs cannot be paired"""
    evaluation_differences: list[str]
    """How its evaluation differs from the first's, so that their figures cannot be paired"""

    @property
    def name(self) -> str:
        """The name of the run."""
        return self.review.name

    @property
    def k(self) -> int:
        """The length of the lists of its headline metric."""
        return self.review.k

    @property
    def headline(self) -> tuple[float, float, float]:
        """Its headline metric with the interval."""
        return self.review.headline

    @property
    def num_users(self) -> int:
        """Users whom it was evaluated on."""
        return self.review.num_users

    @property
    def index(self) -> MeasuredIndexes:
        """Recall of its FAISS index."""
        return self.review.index

    @property
    def total(self) -> Difference | None:
        """Against the first run over all users; None where there is nothing to pair."""
        return self.over_first[0] if self.over_first else None

    @property
    def closest(self) -> Difference:
        """Against the retriever that comes closest."""
        return self.review.over_retrievers[0]

    @property
    def served(self) -> str:
        """Whether it was exported, and became champion."""
        exported = self.review.exported
        if exported is None:
            return "not exported"
        return "became champion" if exported.champion else "exported"

    @property
    def epochs(self) -> int:
        """Epochs of all fits together."""
        return sum(fit.epochs for fit in self.review.fits)

    @property
    def seconds(self) -> float:
        """Seconds of all fits together."""
        return sum(fit.seconds for fit in self.review.fits)

    @property
    def best_validation(self) -> str:
        """Of the first fit that was monitored; a dash where none was."""
        return next((fit.best_validation for fit in self.review.fits if fit.best_validation != "–"), "–")

    @property
    def processor(self) -> str:
        """What it was trained on."""
        return str(self.review.made_on["gpu"] or self.review.made_on["cpu"] or "–")


@dataclass(frozen=True)
class ComparisonChart:
    """The pipeline of each run in one breakdown."""

    kind: BreakdownKind
    picture: bytes
    differences: list[tuple[str, Difference]]
    """(run, its difference to the first run)"""


@dataclass(frozen=True)
class ComparisonPage:
    """What `comparison.html` shows."""

    first: str
    """Name of the first run"""
    runs: Sequence[ComparedRun]
    same_k: bool
    metric: str
    forest: bytes | None
    """The picture of the differences to the first run; None where nothing was paired"""
    settings: Mapping[str, list[Any]]
    """Settings that differ: name → the value in each run"""
    unpaired: list[str]
    """Runs that cannot be paired with the first"""
    charts: list[ComparisonChart]
    learning_curves: bytes


def comparison_page(runs: Sequence[ComparedRun], settings: Mapping[str, list[Any]]) -> str:
    """The document. `settings`: those that differ, name → the value in each run."""
    first = runs[0]
    same_k = len({run.k for run in runs}) == 1
    totals = [(run.name, run.total) for run in runs if run.total]
    context = ComparisonPage(
        first=first.name,
        runs=runs,
        same_k=same_k,
        metric=f"capped recall@{first.k}" if same_k else "capped recall",
        forest=pictures.forest(totals, title=f"each run minus {first.name}") if totals else None,
        settings=settings,
        unpaired=[run.name for run in runs if run.evaluation_differences],
        charts=[_chart(kind, runs) for kind in BREAKDOWN_KINDS],
        learning_curves=pictures.learning_curves({run.name: run.review.curves for run in runs}),
    )
    return render("comparison.html", context)


def _chart(kind: BreakdownKind, runs: Sequence[ComparedRun]) -> ComparisonChart:
    """Of the runs that can be paired with the first."""
    paired = [run for run in runs if not run.evaluation_differences]
    drawn = pictures.breakdown_of_runs(
        {run.name: run.review.of(kind.by) for run in paired},
        title=f"capped recall of the pipelines {kind.title}",
        axis=kind.axis,
    )
    differences = [(run.name, row) for run in paired for row in run.over_first if row.by == kind.by]
    return ComparisonChart(kind, drawn, differences)
