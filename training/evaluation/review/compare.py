"""Compares several runs with the first of them, and writes the page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from configs.exceptions import ArtefactError
from configs.schema import Config
from features.core.artefact import writing_file
from training.evaluation.breakdowns import over_run
from training.evaluation.comparable_runs import evaluation_differences
from training.evaluation.review.comparison_page import ComparedRun, comparison_page
from training.evaluation.review.gather import gather
from training.evaluation.review.list_changes import settings_of_runs
from training.evaluation.user_figures import UserFigures
from training.runs.run import Run, run_named

PAGE = "comparison.html"
NUM_RUNS = 4
"""How many runs are compared where none are named"""


def runs_to_compare(workspace: Path, names: Sequence[str]) -> list[Run]:
    """The runs of these names, or the newest evaluated ones, oldest first. Raises ArtefactError for fewer
    than two."""
    if names:
        found = [run_named(workspace, name) for name in dict.fromkeys(names)]
    else:
        evaluated = [Run(path.parent) for path in sorted((workspace / "runs").glob("*/examples.json"))]
        found = [run for run in evaluated if run.read().refit_of is None][-NUM_RUNS:]
    if len(found) < 2:
        there = ", ".join(run.name for run in found) or "none"
        raise ArtefactError(
            f"{workspace / 'runs'}: a comparison needs two evaluated runs, found {there}. Make them with "
            "`shopkeeper train` and `shopkeeper evaluate`, and name them: `shopkeeper compare RUN RUN`."
        )
    return found


def compare(runs: Sequence[Run], config: Config) -> tuple[Path, list[ComparedRun]]:
    """Write `comparison.html` into the workspace; returns its path, and what it shows of each run. Raises
    ArtefactError for a run without an evaluation."""
    compared = [_compared(runs[0], run, config) for run in runs]
    path = config.workspace / PAGE
    with writing_file(path) as scratch:
        scratch.write_text(comparison_page(compared, settings_of_runs(runs)), encoding="utf-8")
    return path, compared


def _compared(first: Run, run: Run, config: Config) -> ComparedRun:
    review = gather(run, config)
    theirs, ours = UserFigures.find(first.folder), UserFigures.find(run.folder)
    if run.name == first.name or theirs is None or ours is None:
        return ComparedRun(review, [], [])
    if differing := evaluation_differences(first, run, config):
        return ComparedRun(review, [], differing)
    found = over_run(ours, theirs, name=first.name, config=review.config.evaluation)
    is_paired = bool(found) and found[0].by == "all" and ours.k == theirs.k
    return ComparedRun(review, found, []) if is_paired else ComparedRun(review, [], ["users"])
