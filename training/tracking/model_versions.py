"""Bundles as versions of MLflow's registered model, one of which has the alias `champion`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from configs.console import log
from configs.exceptions import TrainingError
from configs.schema import Config
from training.runs.run import Run
from training.tracking.client import first_line, mlflow_client, mlflow_errors, tracking_uri
from training.tracking.tracked_settings import without_login

CHAMPION: Final = "champion"
BUNDLE_VERSION: Final = "bundle_version"
"""The tag of a model version with its bundle's own"""


@dataclass(frozen=True)
class ModelVersion:
    """One version of the registered model."""

    number: str
    source: str
    """The URI of the bundle's folder"""
    bundle_version: str | None
    """The fingerprint of the bundle's files when it was registered"""

    @property
    def run(self) -> str:
        """The run whose bundle it is: the name of the folder."""
        return unquote(urlsplit(self.source).path).rstrip("/").rsplit("/", 1)[-1]


def register_bundle(run: Run, bundle: Path, config: Config, *, version: str) -> str | None:
    """Register a bundle folder as a new model version and return MLflow's number of it. None without MLflow,
    or where MLflow fails, which is logged."""
    name = config.tracking.model_name
    try:
        client = mlflow_client(config)
        if client is None:
            return None
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name)
        registered = client.create_model_version(
            name,
            source=bundle.resolve().as_uri(),
            run_id=run.read().mlflow_run,
            tags={BUNDLE_VERSION: version},
        )
    except mlflow_errors() as error:
        log(f"The bundle is written, but MLflow did not register it. ({first_line(error)})")
        return None
    return str(registered.version)


def set_alias(config: Config, *, model_version: str) -> bool:
    """Move the alias to a model version, and return whether it is there. Where MLflow fails it is logged: a
    server reads `champion.json`."""
    try:
        client = mlflow_client(config)
        if client is not None:
            client.set_registered_model_alias(config.tracking.model_name, CHAMPION, model_version)
        return client is not None
    except mlflow_errors() as error:
        log(
            f"The bundle is champion in {config.workspace}, but MLflow's alias did not move. "
            f"({first_line(error)})"
        )
        return False


def version_with_alias(config: Config) -> ModelVersion | None:
    """The model version with the alias; None when none has it. Raises TrainingError without MLflow."""
    try:
        client = mlflow_client(config)
        if client is None:
            raise TrainingError(
                "Tracking is off, so there is no alias to follow: name the run with --run NAME."
            )
        found = client.get_model_version_by_alias(config.tracking.model_name, CHAMPION)
        return ModelVersion(str(found.version), str(found.source), (found.tags or {}).get(BUNDLE_VERSION))
    except mlflow_errors() as error:
        if getattr(error, "error_code", "") in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise TrainingError(
            f"MLflow cannot be used at {without_login(tracking_uri(config))} ({first_line(error)})."
        ) from None
