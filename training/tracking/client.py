"""The MLflow client as configured, and what can go wrong with it. No MLflow server is needed."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Sequence
from functools import cache
from typing import Any, Final
from urllib.parse import urlsplit

from configs.console import log
from configs.exceptions import TrainingError
from configs.schema import Config
from features.core.artefact import locked
from training.tracking.reachable import is_database, require_reachable
from training.tracking.tracked_settings import without_login
from training.tracking.workspace_store import artifact_folder, follow_workspace, store_uri

BATCH: Final = 500
_ENVIRONMENT: Final = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
"""What MLflow reads from the environment, where the user has not set it. By its own defaults a request to a
server that is gone takes four minutes."""


def tracking_uri(config: Config) -> str:
    """The configured tracking URI, or SQLite in the workspace."""
    return config.tracking.uri or store_uri(config.workspace)


def artifact_location(config: Config) -> str:
    """Where artefacts go when MLflow has no server of its own."""
    return artifact_folder(config.workspace)


def require_tracking(config: Config) -> None:
    """Raise TrainingError, within seconds, when MLflow cannot be used as configured. Call it before long
    work."""
    uri = tracking_uri(config)
    try:
        client = mlflow_client(config)
        if client is None:
            return
        experiment = client.get_experiment_by_name(config.tracking.experiment)
    except mlflow_errors() as error:
        raise TrainingError(
            f"MLflow cannot be used at {without_login(uri)} ({first_line(error)}). Repair or remove it, name "
            "another with --set tracking.uri=..., or train without: --set tracking.enabled=false."
        ) from None
    location = experiment.artifact_location if experiment and is_database(uri) else ""
    if urlsplit(location).scheme == "file" and location != artifact_location(config):
        log(f"MLflow keeps the artefacts of this experiment outside the workspace: {location}")


def mlflow_client(config: Config) -> Any:
    """The client; None where tracking is off or MLflow is not installed. Raises one of `mlflow_errors` where
    the store does not answer."""
    if not config.tracking.enabled:
        return None
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        from mlflow import MlflowClient
    except ImportError:
        _log_not_installed()
        return None
    logging.getLogger("mlflow").setLevel(logging.WARNING)  # it logs each table that it makes
    config.workspace.mkdir(parents=True, exist_ok=True)
    uri = tracking_uri(config)
    require_reachable(uri)
    if config.tracking.uri is not None:
        return MlflowClient(uri, registry_uri=uri)
    follow_workspace(config.workspace)
    with locked(config.workspace):  # whoever comes first makes the tables, and two at once would fail
        return MlflowClient(uri, registry_uri=uri)


@cache
def _log_not_installed() -> None:
    log("MLflow is not installed here: the run is kept in its folder and can be imported later.")


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
    location = artifact_location(config) if is_database(tracking_uri(config)) else None
    kind = {"mlflow.experimentKind": "custom_model_development"}  # or its pages open as those of a chat agent
    return str(client.create_experiment(name, location, tags=kind))


def experiment_path(config: Config) -> str:
    """The page of the runs in the MLflow UI, as the part of the address after the host."""
    try:
        client = mlflow_client(config)
        experiment = client.get_experiment_by_name(config.tracking.experiment) if client else None
    except mlflow_errors():
        return ""
    return f"/#/experiments/{experiment.experiment_id}" if experiment else ""
