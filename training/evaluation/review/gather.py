"""All that the page of a run is made of, read from the run's folder and from that of the run it is compared
with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs.exceptions import ArtefactError
from configs.load import load_config
from configs.schema import Config
from training.evaluation.review.breakdowns import (
    Breakdown,
    Difference,
    breakdowns_of,
    differences_of,
    over_run,
)
from training.evaluation.review.compared_run import compared_run
from training.evaluation.review.examples import Example, from_json
from training.evaluation.review.moved import ItemMoved, SettingMoved, items_moved, settings_moved
from training.evaluation.review.user_figures import UserFigures
from training.runs.run import Run


@dataclass(frozen=True)
class AgainstChampion:
    """The comparison with the champion of the day."""

    champion: str
    """The champion's run"""
    was_refitted: bool
    """True when its settings were fitted again on this run's data"""
    differences: list[Difference]
    """On every part of the table"""
    settings: list[SettingMoved]
    entered: list[ItemMoved]
    left: list[ItemMoved]


@dataclass(frozen=True)
class Review:
    """All that a page is made of."""

    name: str
    config: Config
    entries: Mapping[str, Any]
    """`run.json`"""
    summary: Mapping[str, Any]
    """`evaluation.json`"""
    curves: list[dict[str, Any]]
    breakdowns: list[Breakdown]
    over_sources: list[Difference]
    champion: AgainstChampion | None
    data: Mapping[str, Any]
    """`prepare_report.json`, empty without one"""
    examples: list[Example]

    @property
    def headline(self) -> tuple[float, float, float]:
        return next(row for row in self.breakdowns if row.by == "all").systems["pipeline"]

    @property
    def k(self) -> int:
        return self.config.evaluation.headline_k

    def of(self, by: str) -> list[Breakdown]:
        return [row for row in self.breakdowns if row.by == by]


def gather(run: Run, config: Config) -> Review:
    """Read a run that was evaluated. Raises ArtefactError for one that was not, or by another version."""
    summary, figures = _json(run.folder / "evaluation.json"), UserFigures.find(run.folder)
    if figures is None or "breakdowns" not in summary:
        raise ArtefactError(
            f"{run.folder} has no evaluation by this version: `shopkeeper evaluate --run {run.name}` makes "
            "it."
        )
    settings = load_config(run.folder / "config.yaml", workspace=config.workspace)
    return Review(
        name=run.name,
        config=settings,
        entries=run.read(),
        summary=summary,
        curves=run.curves(),
        breakdowns=breakdowns_of(summary),
        over_sources=differences_of(summary),
        champion=_against_champion(run, figures, summary, settings),
        data=_json(run.folder / "prepare_report.json"),
        examples=from_json(_json(run.folder / "examples.json") or []),
    )


def _against_champion(
    run: Run, figures: UserFigures, summary: dict[str, Any], config: Config
) -> AgainstChampion | None:
    found = compared_run(run)
    if found is None:
        return None
    champion, other = found
    theirs = UserFigures.find(other.folder)
    if theirs is None:
        return None
    entered, left = items_moved(_json(other.folder / "evaluation.json"), summary)
    return AgainstChampion(
        champion=champion,
        was_refitted=other.name != champion,
        differences=over_run(figures, theirs, name=champion, config=config.evaluation),
        settings=settings_moved(other, run),
        entered=entered,
        left=left,
    )


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
