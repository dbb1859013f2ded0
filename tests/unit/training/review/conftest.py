from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient
from reviewed_runs import FIRST, SECOND, Workspace, copy_of, evaluate_two
from shared import once, shared_folder

from configs.schema import Config
from training.runs.run import Run


@pytest.fixture(scope="session")
def evaluated(
    shop_config: Config, prepared_shop: Path, tiny_run: Run, tmp_path_factory: pytest.TempPathFactory
) -> Workspace:
    """Two evaluated runs, and an MLflow database without any. Read only."""

    def make(folder: Path) -> None:
        evaluate_two(folder, shop_config, tiny_run)
        MlflowClient(f"sqlite:///{folder / 'mlflow.db'}").search_experiments()  # creates the tables: seconds

    folder = once(shared_folder(tmp_path_factory) / "reviewed", make)
    config = shop_config.model_copy(update={"workspace": folder})
    return Workspace(config, *(Run(folder / "runs" / name) for name in (FIRST, SECOND)))


@pytest.fixture
def workspace(evaluated: Workspace, tmp_path: Path) -> Workspace:
    """The same in a place of its own, with MLflow on."""
    return copy_of(evaluated, tmp_path / "workspace")
