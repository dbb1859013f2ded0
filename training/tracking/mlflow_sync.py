"""Copies a run's folder to MLflow, as often as you like: each call copies what is new.

The folder has everything, so a run of a machine without MLflow is imported by the same call.
"""

from __future__ import annotations

from typing import Any, Final

import yaml

from configs.console import log
from configs.schema import Config
from training.runs.flat_settings import flat
from training.runs.run import Run
from training.tracking.client import experiment_id, first_line, log_metrics, mlflow_client, mlflow_errors
from training.tracking.tracked_evaluation import log_evaluation
from training.tracking.tracked_settings import tracked_settings

COPIED_FILES: Final = ("evaluation.json", "evaluation.txt", "metrics.jsonl", "prepare_report.json")
MLFLOW_STATUS: Final = {"finished": "FINISHED", "failed": "FAILED"}


def sync(run: Run, config: Config) -> None:
    """Bring MLflow up to date with the run's folder; nothing when tracking is off or MLflow is not installed.

    An MLflow that fails does not stop the training: it is logged, and the next call copies everything.
    """
    try:
        client = mlflow_client(config)
        if client is not None:
            _copy(client, run, config)
    except mlflow_errors() as error:
        log(f"MLflow could not be brought up to date; {run.folder} has everything. ({first_line(error)})")


def _copy(client: Any, run: Run, config: Config) -> None:
    run_id = run.read().mlflow_run or _create(client, run, config)
    record = run.read()
    _log_curves(client, run, run_id)
    for point, fit in record.fits.items():
        for name, value in fit.model_dump(exclude_none=True).items():
            client.log_metric(run_id, f"fit_{point}_{name}", value)
    client.log_text(
        run_id, yaml.safe_dump(tracked_settings(run), sort_keys=False, allow_unicode=True), "config.yaml"
    )
    for name in COPIED_FILES:
        if (run.folder / name).is_file():
            client.log_artifact(run_id, str(run.folder / name))
    if record.evaluation:
        log_evaluation(client, run, run_id)
    client.update_run(run_id, status=MLFLOW_STATUS.get(record.status or "", "RUNNING"))


def _create(client: Any, run: Run, config: Config) -> str:
    """A new MLflow run, with the settings as parameters and the record as tags."""
    experiment = experiment_id(client, config, name=config.tracking.experiment)
    run_id = str(client.create_run(experiment, run_name=run.name).info.run_id)
    run.update(mlflow_run=run_id)
    for key, value in flat(tracked_settings(run)).items():
        client.log_param(run_id, key, str(value)[:500])
    for key, value in run.read().plain().items():
        if key != "status" and isinstance(value, str | int | float | bool | None):
            client.set_tag(run_id, key, str(value))
    return run_id


def _log_curves(client: Any, run: Run, run_id: str) -> None:
    """Send the lines of the curves that MLflow does not have yet."""
    from mlflow.entities import Metric

    lines = run.curves()
    metrics = [
        Metric(f"{line['series']}_{name}", value, int(1000 * line.get("time", 0)), line["step"])
        for line in lines[run.read().mlflow_lines :]
        for name, value in line["metrics"].items()
    ]
    log_metrics(client, run_id, metrics)
    run.update(mlflow_lines=len(lines))
