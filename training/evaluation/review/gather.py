"""Reads what the pages of a run show from its folder, and from that of the run it is compared with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs.exceptions import ArtefactError
from configs.load import load_config
from configs.schema import Config
from training.evaluation.breakdowns import (
    Breakdown,
    Difference,
    breakdowns_of,
    differences_of,
    over_run,
)
from training.evaluation.comparable_runs import compared_run
from training.evaluation.examples import Example, from_json
from training.evaluation.review.formatting import best_validation
from training.evaluation.review.list_changes import ItemChange, SettingChange, item_changes, setting_changes
from training.evaluation.systems import PIPELINE
from training.evaluation.user_figures import UserFigures
from training.runs.run import Run

_MADE_ON = ("dataset", "commit", "seed", "cpu", "cores", "gpu", "torch")


@dataclass(frozen=True)
class Fit:
    """One fit of the encoder."""

    name: str
    """The split point up to which it was fitted"""
    epochs: int | None
    seconds: float
    interactions_per_second: float
    best_validation: str


@dataclass(frozen=True)
class IndexMeasurement:
    """One way of searching for the nearest items."""

    kind: str
    recall_100: float
    """recall@100 against exact search"""
    milliseconds: float
    """For one query on one thread"""


@dataclass(frozen=True)
class MeasuredIndexes:
    """The index that the bundle uses, and all that were measured."""

    chosen: str
    points: list[IndexMeasurement]

    @property
    def chosen_points(self) -> list[IndexMeasurement]:
        return [point for point in self.points if point.kind == self.chosen]


@dataclass(frozen=True)
class ExportOutcome:
    """What became of the run's export."""

    is_champion: bool
    why: str


@dataclass(frozen=True)
class AgainstChampion:
    """The comparison with the champion."""

    champion: str
    """Name of the champion's run"""
    was_refitted: bool
    """Whether the champion's settings were fitted again on this run's data"""
    differences: list[Difference]
    """On every slice"""
    settings: list[SettingChange]
    entered: list[ItemChange]
    left: list[ItemChange]

    @property
    def total(self) -> Difference | None:
        """Over all users; None where nothing could be paired."""
        return self.differences[0] if self.differences else None


@dataclass(frozen=True)
class Review:
    """All that the pages of a run are made from."""

    name: str
    config: Config
    """The run's settings"""
    num_users: int
    coverage: Mapping[str, float]
    """system → share of the catalogue shown in the first k positions"""
    curves: list[dict[str, Any]]
    """Lines of `metrics.jsonl`"""
    fits: list[Fit]
    breakdowns: list[Breakdown]
    over_retrievers: list[Difference]
    index: MeasuredIndexes
    exported: ExportOutcome | None
    champion: AgainstChampion | None
    made_on: Mapping[str, Any]
    """Dataset, commit, seed and hardware"""
    data: Mapping[str, Any]
    """`prepare_report.json`; empty without one"""
    examples: list[Example]

    @property
    def total(self) -> Breakdown:
        """Every system over all users."""
        return next(row for row in self.breakdowns if row.by == "all")

    @property
    def headline(self) -> tuple[float, float, float]:
        """(mean, low, high) of the pipeline over all users."""
        return self.total.systems[PIPELINE]

    @property
    def k(self) -> int:
        """Length of the lists."""
        return self.config.evaluation.headline_k

    def of(self, by: str) -> list[Breakdown]:
        """The slices of one breakdown."""
        return [row for row in self.breakdowns if row.by == by]


def gather(run: Run, config: Config) -> Review:
    """Read an evaluated run. Raises ArtefactError for one without an evaluation by this version."""
    summary, figures = _json(run.folder / "evaluation.json"), UserFigures.find(run.folder)
    if figures is None or "over_retrievers" not in summary:
        raise ArtefactError(
            f"{run.folder} has no evaluation by this version. Evaluate it with "
            f"`shopkeeper evaluate --run {run.name}`."
        )
    settings = load_config(run.folder / "config.yaml", workspace=config.workspace)
    entries = run.read()
    k = str(settings.evaluation.headline_k)
    return Review(
        name=run.name,
        config=settings,
        num_users=summary["users"]["all"],
        coverage={system: shares[k] for system, shares in summary["coverage"].items()},
        curves=run.curves(),
        fits=_fits(entries),
        breakdowns=breakdowns_of(summary),
        over_retrievers=differences_of(summary),
        index=_indexes(summary),
        exported=_exported(entries),
        champion=_against_champion(run, figures, summary, settings),
        made_on={name: entries.get(name) for name in _MADE_ON},
        data=_json(run.folder / "prepare_report.json"),
        examples=from_json(_json(run.folder / "examples.json") or []),
    )


def _fits(entries: Mapping[str, Any]) -> list[Fit]:
    return [
        Fit(
            name=name,
            epochs=fit.get("epochs"),
            seconds=fit.get("seconds", 0),
            interactions_per_second=fit.get("interactions_per_second", 0),
            best_validation=best_validation(fit),
        )
        for name, fit in entries.get("fits", {}).items()
    ]


def _indexes(summary: Mapping[str, Any]) -> MeasuredIndexes:
    index = summary["index"]
    return MeasuredIndexes(index["chosen"], [IndexMeasurement(**point) for point in index["points"]])


def _exported(entries: Mapping[str, Any]) -> ExportOutcome | None:
    bundle = entries.get("bundle")
    return ExportOutcome(bool(bundle.get("champion")), str(bundle.get("why"))) if bundle else None


def _against_champion(
    run: Run, figures: UserFigures, summary: Mapping[str, Any], config: Config
) -> AgainstChampion | None:
    found = compared_run(run)
    if found is None:
        return None
    champion, other = found
    theirs = UserFigures.find(other.folder)
    if theirs is None:
        return None
    entered, left = item_changes(_json(other.folder / "evaluation.json"), summary)
    return AgainstChampion(
        champion=champion,
        was_refitted=other.name != champion,
        differences=over_run(figures, theirs, name=champion, config=config.evaluation),
        settings=setting_changes(other, run),
        entered=entered,
        left=left,
    )


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
