"""Copies a run's folder to MLflow, as often as you like: each call copies what is new.

The folder has everything, so a run of a machine without MLflow is imported by the same call.
"""

from __future__ import annotations

import time
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
MAX_PARAMS: Final = 100
"""Parameters that MLflow takes in one call"""
FIRST_PAUSE: Final = 30.0
"""Seconds after the first failure in which a training does not try again"""
LONGEST_PAUSE: Final = 600.0
MLFLOW_STATUS: Final = {"finished": "FINISHED", "failed": "FAILED"}


def sync(run: Run, config: Config) -> None:
    """Bring MLflow up to date with the run's folder; nothing when tracking is off or MLflow is not installed.

    An MLflow that fails is logged, and the next call copies everything.
    """
    if failure := _try(run, config):
        log(
            f"MLflow could not be brought up to date; {run.folder} has everything, and `shopkeeper evaluate "
            f"--run {run.name}` copies it later. ({failure})"
        )


class SyncAfterEpochs:
    """Follows a training, at no cost to it that counts: a tenth of the time at most.

    An MLflow that fails is logged once and tried again after pauses, each twice as long as the one before.
    """

    def __init__(self, run: Run, config: Config) -> None:
        self._run, self._config = run, config
        self._failure_pause = 0.0
        self._due = 0.0

    def __call__(self) -> None:
        """Copy what is new, or nothing where the last call was too lately."""
        started = time.monotonic()
        if started < self._due:
            return
        failure = _try(self._run, self._config)
        ended = time.monotonic()
        if failure is None:
            if self._failure_pause:
                log("MLflow answers again, and is up to date.")
            self._failure_pause, self._due = 0.0, ended + 9 * (ended - started)
            return
        if not self._failure_pause:
            log(f"MLflow does not follow: training goes on, and MLflow gets everything later. ({failure})")
        self._failure_pause = min(max(2 * self._failure_pause, FIRST_PAUSE), LONGEST_PAUSE)
        self._due = ended + self._failure_pause


def _try(run: Run, config: Config) -> str | None:
    """Copy what is new; the first line of the error where that failed."""
    try:
        client = mlflow_client(config)
        if client is not None:
            _copy(client, run, config)
    except mlflow_errors() as error:
        return first_line(error)
    return None


def _copy(client: Any, run: Run, config: Config) -> None:
    known = _find(client, run) or _create(client, run, config)
    run_id, record = str(known.info.run_id), run.read()
    _log_settings(client, run, known)
    _log_curves(client, run, run_id)
    for point, fit in record.fits.items():
        for name, value in fit.model_dump(exclude_none=True, exclude={"ended_by"}).items():
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


def _find(client: Any, run: Run) -> Any:
    """The MLflow run; None where there is none, or none any more."""
    run_id = run.read().mlflow_run
    if run_id is None:
        return None
    try:
        return client.get_run(run_id)
    except mlflow_errors() as error:
        if getattr(error, "error_code", "") == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise


def _create(client: Any, run: Run, config: Config) -> Any:
    """A new MLflow run, with the record as tags."""
    experiment = experiment_id(client, config, name=config.tracking.experiment)
    tags = {
        key: str(value)
        for key, value in run.read().plain().items()
        if key != "status" and isinstance(value, str | int | float | bool | None)
    }
    created = client.create_run(experiment, run_name=run.name, tags=tags)
    run.update(mlflow_run=str(created.info.run_id), mlflow_lines=0)
    return created


def _log_settings(client: Any, run: Run, known: Any) -> None:
    """Send the settings that the MLflow run does not have yet, as parameters."""
    from mlflow.entities import Param

    params = [
        Param(key, str(value)[:500])
        for key, value in flat(tracked_settings(run)).items()
        if key not in known.data.params
    ]
    for first in range(0, len(params), MAX_PARAMS):
        client.log_batch(known.info.run_id, params=params[first : first + MAX_PARAMS])


def _log_curves(client: Any, run: Run, run_id: str) -> None:
    """Send the lines of the curves that MLflow does not have yet."""
    from mlflow.entities import Metric

    known, lines = run.read().mlflow_lines, run.curves()
    metrics = [
        Metric(f"{line['series']}_{name}", value, int(1000 * line.get("time", 0)), line["step"])
        for line in lines[known:]
        for name, value in line["metrics"].items()
    ]
    log_metrics(client, run_id, metrics)
    # unless a training was resumed meanwhile, which removes lines
    run.change(lambda record: {"mlflow_lines": len(lines)} if record.mlflow_lines == known else {})
