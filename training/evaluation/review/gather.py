"""Reads what the pages of a run show from its folder, and from that of the run it is compared with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs.exceptions import ArtefactError
from configs.schema import Config
from training.evaluation.breakdowns import (
    Breakdown,
    Difference,
    over_run,
)
from training.evaluation.comparable_runs import compared_run
from training.evaluation.evaluation_record import EvaluationRecord, MeasuredIndexes
from training.evaluation.examples import Example, from_json
from training.evaluation.review.formatting import best_validation
from training.evaluation.review.list_changes import ItemChange, SettingChange, item_changes, setting_changes
from training.evaluation.systems import PIPELINE
from training.evaluation.user_figures import UserFigures
from training.runs.record import BundleEntry, Ending, RunRecord
from training.runs.run import Run, settings_of

_MADE_ON = ("dataset", "commit", "seed", "cpu", "cores", "gpu", "torch")


@dataclass(frozen=True)
class Fit:
    """One fit of the encoder."""

    name: str
    """The split point up to which it was fitted"""
    epochs: int
    seconds: float
    interactions_per_second: float
    best_validation: str
    ended_by: Ending | None
    """The setting that ended it; None for a run of an earlier version"""


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
    """system → share of the items that may be shown which stand in the first k positions of some list"""
    curves: list[dict[str, Any]]
    """Lines of `metrics.jsonl`"""
    fits: list[Fit]
    breakdowns: list[Breakdown]
    over_retrievers: list[Difference]
    index: MeasuredIndexes
    exported: BundleEntry | None
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
    evaluation, figures = EvaluationRecord.find(run.folder), UserFigures.find(run.folder)
    if figures is None or evaluation is None:
        raise ArtefactError(
            f"{run.folder} has no evaluation by this version. Evaluate it with "
            f"`shopkeeper evaluate --run {run.name}`."
        )
    settings = settings_of(run, config)
    record = run.read()
    k = str(settings.evaluation.headline_k)
    return Review(
        name=run.name,
        config=settings,
        num_users=evaluation.users["all"],
        coverage={system: shares[k] for system, shares in evaluation.coverage.items()},
        curves=run.curves(),
        fits=_fits(record),
        breakdowns=evaluation.breakdowns,
        over_retrievers=evaluation.over_retrievers,
        index=evaluation.index,
        exported=record.bundle,
        champion=_against_champion(run, figures, evaluation, settings),
        made_on={name: getattr(record, name) for name in _MADE_ON},
        data=_json(run.folder / "prepare_report.json"),
        examples=from_json(_json(run.folder / "examples.json") or []),
    )


def _fits(record: RunRecord) -> list[Fit]:
    return [
        Fit(
            name=name,
            epochs=fit.epochs,
            seconds=fit.seconds,
            interactions_per_second=fit.interactions_per_second,
            best_validation=best_validation(fit),
            ended_by=fit.ended_by,
        )
        for name, fit in record.fits.items()
    ]


def _against_champion(
    run: Run, figures: UserFigures, evaluation: EvaluationRecord, config: Config
) -> AgainstChampion | None:
    found = compared_run(run)
    if found is None:
        return None
    champion, other = found
    theirs = UserFigures.find(other.folder)
    if theirs is None:
        return None
    before = EvaluationRecord.find(other.folder)
    entered, left = item_changes(before.most_shown if before else [], evaluation.most_shown)
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
