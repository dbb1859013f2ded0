"""Fits the pipeline at the test split point, replays it on the last window, and writes the table and the
review into the run."""

from __future__ import annotations

from typing import Any

from configs.console import log
from configs.load import load_config
from configs.schema import Config
from features.dataset import Dataset
from features.splits import split_points
from serving.recommend.pipeline import Pipeline
from training.evaluation.comparable_runs import note_champion
from training.evaluation.record import record
from training.evaluation.replay import replay
from training.evaluation.review.write import write_review
from training.evaluation.table import text_lines
from training.export.fit_pipeline import bundle_folder, fit_pipeline
from training.runs.run import Run, require_same_data
from training.runs.tracking import sync


def report(config: Config, run: Run) -> dict[str, Any]:
    """The evaluation of a run, also written to `evaluation.json`, `evaluation.txt` and `review/`, and sent to
    MLflow.

    The test window is read here and nowhere else. The run's own settings count, whatever `config` says of
    models.
    """
    dataset = Dataset.open(config.workspace / "dataset")
    require_same_data(run, dataset)
    settings = settings_of(run, config)
    validation, test, full = split_points(dataset, settings.split)
    folder = bundle_folder(run, test)
    bundle = fit_pipeline(dataset, validation, test, config=settings, run=run)
    bundle.save(folder, made_from=dataset.fingerprint)
    pipeline = Pipeline.load(folder)
    evaluation = replay(pipeline, dataset, test, full, config=settings)
    summary = record(run, evaluation, pipeline, dataset, test, config=settings)
    headline = headline_metric(settings)
    lines = text_lines(summary, k=settings.evaluation.headline_k)
    (run.folder / "evaluation.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    run.update(evaluation={system: parts["all"][headline][0] for system, parts in summary["systems"].items()})
    note_champion(run, config)
    write_review(run, config)
    sync(run, settings)
    log(f"evaluated: pipeline {headline} {summary['systems']['pipeline']['all'][headline][0]:.4f}")
    return summary


def settings_of(run: Run, config: Config) -> Config:
    """The settings the run was trained with, in the workspace at hand."""
    return load_config(run.folder / "config.yaml", workspace=config.workspace)


def headline_metric(config: Config) -> str:
    """What decides between bundles."""
    return f"capped_recall_{config.evaluation.headline_k}"
