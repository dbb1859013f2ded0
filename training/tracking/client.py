"""The MLflow client as configured, and what can go wrong with it. No MLflow server is needed."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from configs.console import log
from configs.exceptions import TrainingError
from configs.schema import Config
from training.tracking.tracked_settings import without_login

SQLITE: Final = "sqlite:///"
BATCH: Final = 500


def tracking_uri(config: Config) -> str:
    """The configured tracking URI, or SQLite in the workspace."""
    return config.tracking.uri or f"{SQLITE}{(config.workspace / 'mlflow.db').resolve()}"


def artifact_location(config: Config) -> str:
    """Where artefacts go when MLflow has no server of its own."""
    return (config.workspace / "mlartifacts").resolve().as_uri()


def require_tracking(config: Config) -> None:
    """Raise TrainingError when MLflow cannot be used as configured. Call it before long work."""
    uri = tracking_uri(config)
    try:
        if config.tracking.enabled and uri.startswith(SQLITE):
            _require_writable(Path(uri.removeprefix(SQLITE)))
        client = mlflow_client(config)
        if client is not None:
            client.search_experiments(max_results=1)
    except mlflow_errors() as error:
        raise TrainingError(
            f"MLflow cannot be used at {without_login(uri)} ({first_line(error)}). Repair or remove it, name "
            "another with --set tracking.uri=..., or train without: --set tracking.enabled=false."
        ) from None


def mlflow_client(config: Config) -> Any:
    """The client; None where tracking is off or MLflow is not installed."""
    if not config.tracking.enabled:
        return None
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    try:
        from mlflow import MlflowClient
    except ImportError:
        log("MLflow is not installed here: the run is kept in its folder and can be imported later.")
        return None
    logging.getLogger("mlflow").setLevel(logging.WARNING)  # it logs each table that it makes
    config.workspace.mkdir(parents=True, exist_ok=True)
    return MlflowClient(tracking_uri(config), registry_uri=tracking_uri(config))


def mlflow_errors() -> tuple[type[Exception], ...]:
    """The errors of a tracking store that cannot be reached, read or written."""
    try:
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError
    except ImportError:
        return OSError, sqlite3.Error
    return OSError, sqlite3.Error, MlflowException, SQLAlchemyError


def first_line(error: Exception) -> str:
    """The first line of an error's message; MLflow's go on for pages."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def log_metrics(client: Any, run_id: str, metrics: Sequence[Any]) -> None:
    """Log any number of metrics; MLflow takes at most 1,000 in a call."""
    for first in range(0, len(metrics), BATCH):
        client.log_batch(run_id, metrics=metrics[first : first + BATCH])


def experiment_id(client: Any, config: Config, *, name: str) -> str:
    """The id of the experiment, which is created where there is none."""
    experiment = client.get_experiment_by_name(name)
    if experiment:
        return str(experiment.experiment_id)
    location = None if config.tracking.uri else artifact_location(config)
    kind = {"mlflow.experimentKind": "custom_model_development"}  # or its pages open as those of a chat agent
    return str(client.create_experiment(name, location, tags=kind))


def experiment_path(config: Config) -> str:
    """The page of the runs in the MLflow UI, as the part of the address after the host."""
    client = mlflow_client(config)
    experiment = client.get_experiment_by_name(config.tracking.experiment) if client else None
    return f"/#/experiments/{experiment.experiment_id}" if experiment else ""


def _require_writable(path: Path) -> None:
    """Raise an error where a SQLite file cannot be written. MLflow itself would try for minutes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
