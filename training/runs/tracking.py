"""MLflow follows a run's folder: what the folder says is copied there, as often as you like. No server is
needed.

The folder is the truth, so a run from a machine without MLflow is imported by the same call.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from configs.console import log
from configs.exceptions import TrainingError
from configs.schema import Config
from training.runs.flat_settings import flat
from training.runs.run import Run
from training.runs.tracked_evaluation import NOTE, log_evaluation
from training.runs.tracked_settings import tracked_settings, without_login

CHAMPION = "champion"
SQLITE = "sqlite:///"


def tracking_uri(config: Config) -> str:
    """The configured tracking URI, or SQLite in the workspace."""
    return config.tracking.uri or f"sqlite:///{(config.workspace / 'mlflow.db').resolve()}"


def artifact_location(config: Config) -> str:
    """Where artefacts go when MLflow has no server of its own."""
    return (config.workspace / "mlartifacts").resolve().as_uri()


def sync(run: Run, config: Config) -> None:
    """Bring MLflow up to date with the run's folder; nothing when tracking is off or MLflow is not installed.

    An MLflow that fails in the middle costs no training: it is said, and the next call brings everything.
    """
    try:
        client = _client(config)
        if client is not None:
            _follow(client, run, config)
    except _mlflow_errors() as error:
        log(f"MLflow could not be brought up to date; {run.folder} has everything. ({_first_line(error)})")


def require_tracking(config: Config) -> None:
    """Raise TrainingError when MLflow cannot be used as configured: asked before long work."""
    uri = tracking_uri(config)
    try:
        if config.tracking.enabled and uri.startswith(SQLITE):
            _try_sqlite(Path(uri.removeprefix(SQLITE)))
        client = _client(config)
        if client is not None:
            client.search_experiments(max_results=1)
    except _mlflow_errors() as error:
        raise TrainingError(
            f"MLflow cannot be used at {without_login(uri)} ({_first_line(error)}). Mend or remove it, name "
            "another with "
            "--set tracking.uri=..., or do without: --set tracking.enabled=false."
        ) from None


def _try_sqlite(path: Path) -> None:
    """MLflow itself would try for minutes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")


def _follow(client: Any, run: Run, config: Config) -> None:
    run_id = run.read().get("mlflow_run") or _start(client, run, config)
    entries = run.read()
    _log_curves(client, run, run_id)
    for series, fit in entries.get("fits", {}).items():
        for name, value in fit.items():
            client.log_metric(run_id, f"fit_{series}_{name}", value)
    client.log_text(
        run_id, yaml.safe_dump(tracked_settings(run), sort_keys=False, allow_unicode=True), "config.yaml"
    )
    for name in ("evaluation.json", "evaluation.txt", "metrics.jsonl", "prepare_report.json"):
        if (run.folder / name).is_file():
            client.log_artifact(run_id, str(run.folder / name))
    if "evaluation" in entries:
        log_evaluation(client, run, run_id)
    status = {"finished": "FINISHED", "failed": "FAILED"}.get(str(entries.get("status")), "RUNNING")
    client.update_run(run_id, status=status)


def experiment_path(config: Config) -> str:
    """Where in the MLflow pages the runs are, as the part of the address after the host."""
    client = _client(config)
    experiment = client.get_experiment_by_name(config.tracking.experiment) if client else None
    return f"/#/experiments/{experiment.experiment_id}" if experiment else ""


def register(run: Run, bundle: Path, config: Config, *, version: str) -> str | None:
    """Register a bundle folder as a new model version; returns MLflow's version number, None without MLflow
    or where it fails."""
    name = config.tracking.model_name
    try:
        client = _client(config)
        if client is None:
            return None
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name)
        registered = client.create_model_version(
            name,
            source=bundle.resolve().as_uri(),
            run_id=run.read().get("mlflow_run"),
            tags={"bundle_version": version},
        )
    except _mlflow_errors() as error:
        log(f"The bundle is written, but MLflow did not register it. ({_first_line(error)})")
        return None
    return str(registered.version)


def set_champion(config: Config, *, model_version: str) -> None:
    """Move the alias; where MLflow fails, say so: the workspace's pointer is what a server reads."""
    try:
        client = _client(config)
        if client is not None:
            client.set_registered_model_alias(config.tracking.model_name, CHAMPION, model_version)
    except _mlflow_errors() as error:
        log(
            f"The bundle is champion in {config.workspace}, but MLflow's alias did not move. "
            f"({_first_line(error)})"
        )


def champion_source(config: Config) -> str | None:
    """Where the bundle with the alias lies, as MLflow knows it; None when no version has the alias.

    Raises TrainingError without MLflow.
    """
    try:
        client = _client(config)
        if client is None:
            raise TrainingError(
                "Tracking is off, so there is no alias to follow: name the run with --run NAME."
            )
        return str(client.get_model_version_by_alias(config.tracking.model_name, CHAMPION).source)
    except _mlflow_errors() as error:
        if getattr(error, "error_code", "") in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise TrainingError(
            f"MLflow cannot be used at {without_login(tracking_uri(config))} ({_first_line(error)})."
        ) from None


def log_comparison(page: Path, config: Config, *, runs: Sequence[str]) -> None:
    """Keep a comparison as a run of its own, in an experiment beside that of the runs."""
    try:
        client = _client(config)
        if client is None:
            return
        experiment_id = _experiment(client, config, name=f"{config.tracking.experiment}-comparisons")
        run_id = str(
            client.create_run(
                experiment_id, run_name="comparison", tags={"runs": ", ".join(runs)}
            ).info.run_id
        )
        client.log_artifact(run_id, str(page))
        client.set_tag(
            run_id,
            NOTE,
            "\n".join(["Compared, the first being the one to beat:", "", *(f"- {run}" for run in runs)]),
        )
        client.set_terminated(run_id)
    except _mlflow_errors() as error:
        log(f"{page} is written, but MLflow did not take it. ({_first_line(error)})")


def _client(config: Config) -> Any:
    if not config.tracking.enabled:
        return None
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    try:
        from mlflow import MlflowClient
    except ImportError:
        log("MLflow is not installed here: the run is kept in its folder and can be imported later.")
        return None
    logging.getLogger("mlflow").setLevel(logging.WARNING)  # it remarks on each table that it makes
    config.workspace.mkdir(parents=True, exist_ok=True)
    return MlflowClient(tracking_uri(config), registry_uri=tracking_uri(config))


def _mlflow_errors() -> tuple[type[Exception], ...]:
    """What a tracking store throws when it cannot be reached, read or written."""
    try:
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError
    except ImportError:
        return OSError, sqlite3.Error
    return OSError, sqlite3.Error, MlflowException, SQLAlchemyError


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _start(client: Any, run: Run, config: Config) -> str:
    experiment_id = _experiment(client, config, name=config.tracking.experiment)
    run_id = str(client.create_run(experiment_id, run_name=run.name).info.run_id)
    run.update(mlflow_run=run_id)
    for key, value in flat(tracked_settings(run)).items():
        client.log_param(run_id, key, str(value)[:500])
    for key, value in run.read().items():
        if key != "status" and isinstance(value, str | int | float | bool | None):
            client.set_tag(run_id, key, str(value))
    return run_id


def _experiment(client: Any, config: Config, *, name: str) -> str:
    """The id of the experiment, which is made if need be."""
    experiment = client.get_experiment_by_name(name)
    location = None if config.tracking.uri else artifact_location(config)
    if experiment:
        return str(experiment.experiment_id)
    kind = {"mlflow.experimentKind": "custom_model_development"}  # or its pages open as those of a chat agent
    return str(client.create_experiment(name, location, tags=kind))


def _log_curves(client: Any, run: Run, run_id: str) -> None:
    from mlflow.entities import Metric

    done = int(run.read().get("mlflow_lines", 0))
    lines = run.curves()
    metrics = [
        Metric(f"{line['series']}_{name}", value, int(1000 * line.get("time", 0)), line["step"])
        for line in lines[done:]
        for name, value in line["metrics"].items()
    ]
    for first in range(0, len(metrics), 500):
        client.log_batch(run_id, metrics=metrics[first : first + 500])
    run.update(mlflow_lines=len(lines))
