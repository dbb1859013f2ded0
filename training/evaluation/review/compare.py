"""Several runs on one page: what differs between them, which is better, and where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from configs.exceptions import ArtefactError
from configs.schema import Config
from features.core.artefact import writing_file
from training.evaluation.review import html, pictures
from training.evaluation.review.breakdowns import Difference, over_run
from training.evaluation.review.compared_run import asked_otherwise
from training.evaluation.review.gather import Review, gather
from training.evaluation.review.html import Html
from training.evaluation.review.moved import settings_of_runs
from training.evaluation.review.page import BY
from training.evaluation.review.user_figures import UserFigures
from training.evaluation.review.words import best_validation, interval, signed, verdict
from training.runs.run import Run, run_named

PAGE = "comparison.html"
NUM_RUNS = 4
"""Runs compared where none are named"""


@dataclass(frozen=True)
class Compared:
    """One run beside the first."""

    run: Run
    review: Review
    over_first: list[Difference]
    """On every part of the table; empty for the first, and where the question is another one"""
    asked_otherwise: list[str]
    """In what its question differs from the first's, so that their figures cannot be paired"""


def runs_to_compare(workspace: Path, names: Sequence[str]) -> list[Run]:
    """The runs of these names, or the newest evaluated ones, the oldest first. Raises ArtefactError for fewer
    than two."""
    if names:
        found = [run_named(workspace, name) for name in dict.fromkeys(names)]
    else:
        evaluated = [Run(path.parent) for path in sorted((workspace / "runs").glob("*/examples.json"))]
        found = [run for run in evaluated if "refit_of" not in run.read()][-NUM_RUNS:]
    if len(found) < 2:
        there = ", ".join(run.name for run in found) or "none"
        raise ArtefactError(
            f"{workspace / 'runs'}: a comparison needs two evaluated runs, found {there}. `shopkeeper "
            "train` and "
            "`shopkeeper evaluate` make them; name them as in `shopkeeper compare RUN RUN`."
        )
    return found


def compare(runs: Sequence[Run], config: Config) -> Path:
    """Write `comparison.html` into the workspace. Raises ArtefactError for a run without an evaluation."""
    first = runs[0]
    compared = [_compared(first, run, config) for run in runs]
    path = config.workspace / PAGE
    with writing_file(path) as scratch:
        scratch.write_text(comparison_page(compared), encoding="utf-8")
    return path


def comparison_page(compared: Sequence[Compared]) -> str:
    """The document."""
    first = compared[0]
    return html.page(
        "Comparison of runs",
        html.tag("h1", f"Comparison of {len(compared)} runs"),
        html.paragraph(
            f"Differences are against the first run, {first.run.name}, user by user. An interval that "
            "leaves zero out says that "
            "the difference is more than chance."
        ),
        html.section("table", "Which is better", *_table(compared)),
        html.section("settings", "Settings that differ", _settings(compared)),
        html.section("parts", "Quality in parts", *_parts(compared)),
        html.section("curves", "Training", *_curves(compared)),
        html.section("index", "Index", _index(compared)),
    )


def _compared(first: Run, run: Run, config: Config) -> Compared:
    review = gather(run, config)
    theirs, ours = UserFigures.find(first.folder), UserFigures.find(run.folder)
    if run.name == first.name or theirs is None or ours is None:
        return Compared(run, review, [], [])
    if otherwise := asked_otherwise(first, run, config):
        return Compared(run, review, [], otherwise)
    found = over_run(ours, theirs, name=first.name, config=review.config.evaluation)
    is_paired = bool(found) and found[0].by == "all" and ours.k == theirs.k
    return Compared(run, review, found, []) if is_paired else Compared(run, review, [], ["users"])


def _table(compared: Sequence[Compared]) -> list[Html]:
    rows = []
    lengths = {one.review.k for one in compared}
    for one in compared:
        closest = one.review.over_sources[0]
        against = one.over_first[0] if one.over_first else None
        rows.append(
            (
                one.run.name,
                interval(one.review.headline)
                if len(lengths) == 1
                else f"@{one.review.k}: {interval(one.review.headline)}",
                signed(against) if against else _not_paired(one),
                verdict(against) if against else "",
                f"{signed(closest)} over {closest.over}",
                f"{one.review.summary['users']['all']:,}",
                _became(one.review),
            )
        )
    metric = f"capped recall@{compared[0].review.k}" if len(lengths) == 1 else "capped recall"
    header = (
        "run",
        f"{metric} (95 %)",
        "against the first (95 %)",
        "",
        "over its closest source",
        "users",
        "served",
    )
    found = [html.table(header, rows, numbers=(1, 2, 5))]
    against_first = [(one.run.name, one.over_first[0]) for one in compared if one.over_first]
    if against_first:
        drawn = pictures.forest(against_first, title=f"each run minus {compared[0].run.name}")
        found.append(html.picture(drawn, alt="differences to the first run"))
    return found


def _not_paired(one: Compared) -> str:
    return f"not paired: other {' and '.join(one.asked_otherwise)}" if one.asked_otherwise else "the first"


def _became(review: Review) -> str:
    bundle = review.entries.get("bundle")
    if not bundle:
        return "not exported"
    return "became champion" if bundle.get("champion") else "exported"


def _settings(compared: Sequence[Compared]) -> Html:
    differing = settings_of_runs([one.run for one in compared])
    if not differing:
        return html.paragraph("None: the runs differ in their data alone, or in nothing.")
    rows = [
        (name, *("not there" if value is None else str(value) for value in values))
        for name, values in differing.items()
    ]
    return html.table(("setting", *(one.run.name for one in compared)), rows)


def _parts(compared: Sequence[Compared]) -> list[Html]:
    """The pipelines beside each other, for the runs that were asked what the first was."""
    others = [one.run.name for one in compared if one.asked_otherwise]
    found = (
        [html.paragraph(f"Without those that are not paired with the first: {', '.join(others)}.")]
        if others
        else []
    )
    for by, (title, axis) in BY.items():
        rows = {one.run.name: one.review.of(by) for one in compared if not one.asked_otherwise}
        drawn = pictures.parts_of_runs(rows, title=f"the pipelines {title}", axis=axis)
        differences = [
            (one.run.name, row.name, f"{row.num_users:,}", signed(row), verdict(row))
            for one in compared
            for row in one.over_first
            if row.by == by
        ]
        found.append(html.picture(drawn, alt=f"the pipeline of each run {title}"))
        if differences:
            header = ("run", "part", "users", "against the first (95 %)", "")
            found.append(html.folded(f"differences {title}", html.table(header, differences, numbers=(2, 3))))
    return found


def _curves(compared: Sequence[Compared]) -> list[Html]:
    rows = []
    for one in compared:
        fits = one.review.entries.get("fits", {})
        seconds = sum(fit.get("seconds", 0) for fit in fits.values())
        best = next((best for fit in fits.values() if (best := best_validation(fit)) != "–"), "–")
        epochs = sum(fit.get("epochs", 0) for fit in fits.values())
        processor = one.review.entries.get("gpu") or one.review.entries.get("cpu")
        rows.append((one.run.name, epochs, f"{seconds:,.0f}", best, processor))
    header = ("run", "epochs, all fits", "seconds, all fits", "best in validation", "processor")
    drawn = pictures.learning_curves({one.run.name: one.review.curves for one in compared})
    return [
        html.picture(drawn, alt="learning curves of the runs"),
        html.table(header, rows, numbers=(1, 2, 3)),
    ]


def _index(compared: Sequence[Compared]) -> Html:
    rows = [
        (one.run.name, point["kind"], f"{point['recall_100']:.4f}", f"{point['milliseconds']:.3f}")
        for one in compared
        for point in one.review.summary["index"]["points"]
        if point["kind"] == one.review.summary["index"]["chosen"]
    ]
    return html.table(("run", "search", "recall@100", "milliseconds a query"), rows, numbers=(2, 3))
