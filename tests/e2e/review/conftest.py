from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient
from reviewed_runs import FIRST, SECOND, Workspace, copy_of, evaluate_two
from shared import once, shared_folder

from configs.schema import Config
from features.dataset import Dataset
from features.splits import split_points
from training.encoder.fit import fit_encoders
from training.runs.run import Run


@pytest.fixture(scope="session")
def evaluated(
    shop_config: Config, shop_dataset: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> Workspace:
    """Two evaluated runs, and an MLflow database without any. Read only.

    Their model is the one whose ONNX export takes least: pages and commands are the same for every model.
    """
    encoder = shop_config.encoder.model_copy(update={"model": "weighted_pooling"})
    config = shop_config.model_copy(update={"encoder": encoder})

    def make(folder: Path) -> None:
        folder.mkdir()
        run = Run.create(folder / "trained", name=config.name)
        fit_encoders(shop_dataset, split_points(shop_dataset, config.split), config=config, run=run)
        run.update(status="finished")
        evaluate_two(folder, config, run)
        MlflowClient(f"sqlite:///{folder / 'mlflow.db'}").search_experiments()  # creates the tables: seconds

    folder = once(shared_folder(tmp_path_factory) / "reviewed", make)
    config = config.model_copy(update={"workspace": folder})
    return Workspace(config, *(Run(folder / "runs" / name) for name in (FIRST, SECOND)))


@pytest.fixture
def workspace(evaluated: Workspace, tmp_path: Path) -> Workspace:
    """The same in a place of its own, with MLflow on."""
    return copy_of(evaluated, tmp_path / "workspace")
