"""`review.html`: everything that a reviewer needs to judge one run, readable without the code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from configs.settings.lifecycle import ExportConfig
from training.evaluation.breakdowns import Breakdown, Difference
from training.evaluation.evaluation_record import MeasuredIndexes
from training.evaluation.record import MAX_INDEXED
from training.evaluation.review import pictures
from training.evaluation.review.breakdown_kinds import BREAKDOWN_KINDS, BreakdownKind
from training.evaluation.review.conclusion import conclusion
from training.evaluation.review.formatting import slice_label
from training.evaluation.review.gather import AgainstChampion, Fit, Review
from training.evaluation.review.list_changes import NUM_MOST_SHOWN
from training.evaluation.review.rendering import render
from training.evaluation.systems import system_label
from training.runs.flat_settings import flat


@dataclass(frozen=True)
class SystemRow:
    """One system over all users."""

    system: str
    recall: tuple[float, float, float]
    """(mean, low, high) of capped recall"""
    coverage: float
    """Share of the items that may be shown"""


@dataclass(frozen=True)
class BreakdownChart:
    """One breakdown: its picture and its table."""

    kind: BreakdownKind
    systems: list[str]
    rows: list[Breakdown]

    @property
    def heading(self) -> str:
        """The heading of the chart."""
        return self.kind.title[0].upper() + self.kind.title[1:]


@dataclass(frozen=True)
class ReviewPage:
    """What `review.html` shows."""

    name: str
    k: int
    headline: tuple[float, float, float]
    num_users: int
    window: str
    conclusion: list[str]
    over_retrievers: list[Difference]
    """The closest retriever first"""
    systems: list[SystemRow]
    charts: list[BreakdownChart]
    champion: AgainstChampion | None
    num_most_shown: int
    fits: list[Fit]
    index: MeasuredIndexes
    max_indexed: int
    limits: ExportConfig
    made_on: list[tuple[str, object]]
    data: list[tuple[str, str]]
    settings: list[tuple[str, object]]
    pictures: Mapping[str, bytes]
    """As `draw` made them"""

    @property
    def closest(self) -> Difference:
        """The difference to the best retriever alone."""
        return self.over_retrievers[0]


def draw(review: Review) -> dict[str, bytes]:
    """Name → PNG: the pictures of the page, which MLflow also gets as files."""
    found = {"learning_curves": pictures.learning_curves({review.name: review.curves})}
    against = [(system_label(row.over), row) for row in review.over_retrievers]
    if review.champion and review.champion.total:
        against.append((f"champion {review.champion.champion}", review.champion.total))
        slices = [(slice_label(row), row) for row in review.champion.differences]
        found["against_champion"] = pictures.forest(slices, title="this run minus the champion, by slice")
    found["against_retrievers"] = pictures.forest(
        against, title="the pipeline minus each retriever alone, and minus the champion"
    )
    for kind in BREAKDOWN_KINDS:
        found[kind.picture] = pictures.breakdown(
            review.of(kind.by), title=f"capped recall {kind.title}", axis=kind.axis
        )
    found["index_recall_and_speed"] = pictures.index_speed(review.index)
    return found


def review_page(review: Review, drawn: Mapping[str, bytes]) -> str:
    """The document. `drawn` is what `draw` made."""
    return render("review.html", _context(review, drawn))


_WINDOW: Final = {
    "window": "{days:g} days",
    "session": "rest of a session of the {days:g} days",
    "leave_one_out": "next basket",
    "given": "test set",
}
"""What comes after the split point, by `split.kind`"""


def _context(review: Review, drawn: Mapping[str, bytes]) -> ReviewPage:
    split = review.config.split
    # a tracking URI may hold a login
    settings = review.config.model_dump(mode="json", exclude={"workspace", "tracking"})
    return ReviewPage(
        name=review.name,
        k=review.k,
        headline=review.headline,
        num_users=review.num_users,
        window=_WINDOW[split.kind].format(days=split.window_days),
        conclusion=conclusion(review),
        over_retrievers=review.over_retrievers,
        systems=[
            SystemRow(system, recall, review.coverage[system])
            for system, recall in review.total.systems.items()
        ],
        charts=[_chart(kind, review.of(kind.by)) for kind in BREAKDOWN_KINDS],
        champion=review.champion,
        num_most_shown=NUM_MOST_SHOWN,
        fits=review.fits,
        index=review.index,
        max_indexed=MAX_INDEXED,
        limits=review.config.export,
        made_on=[(name, "–" if value is None else value) for name, value in review.made_on.items()],
        data=_facts(review.data),
        settings=list(flat(settings).items()),
        pictures=drawn,
    )


def _chart(kind: BreakdownKind, rows: list[Breakdown]) -> BreakdownChart:
    return BreakdownChart(kind, systems=list(rows[0].systems) if rows else [], rows=rows)


def _facts(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The report of `prepare`. Lists are shown as their lengths, since they may list users."""
    shown = {name: len(value) if isinstance(value, list) else value for name, value in flat(data).items()}
    return [
        (name.replace("_", " "), f"{value:,}" if isinstance(value, int) else str(value))
        for name, value in shown.items()
    ]
