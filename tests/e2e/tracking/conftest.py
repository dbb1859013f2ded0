from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient
from shared import once, shared_folder

from configs.schema import Config
from configs.settings.services import TrackingConfig
from training.runs.run import Run, write_settings


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database without runs. Making its tables takes seconds. Read only."""

    def make(file: Path) -> None:
        MlflowClient(f"sqlite:///{file}").search_experiments()

    return once(shared_folder(tmp_path_factory) / "empty-mlflow.db", make)


@pytest.fixture
def tracked(shop_config: Config, empty_store: Path, tmp_path: Path) -> Config:
    """Settings of a workspace with an MLflow database, tracking on."""
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    shutil.copy(empty_store, workspace / "mlflow.db")
    return shop_config.model_copy(update={"workspace": workspace, "tracking": TrackingConfig()})


@pytest.fixture
def run(tracked: Config) -> Run:
    """A run of that workspace, which has trained one epoch."""
    run = Run.create(tracked.workspace / "runs", name="shop")
    run.update(status="running", seed=7)
    write_settings(run, tracked)
    run.log("validation", 0, {"loss": 2.5})
    return run
