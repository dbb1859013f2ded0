from __future__ import annotations

from pathlib import Path

import pytest
from reviewed_runs import Workspace, copy_of, evaluate_two

from configs.schema import Config
from training.runs.run import Run


@pytest.fixture(scope="session")
def evaluated(
    shop_config: Config, prepared_shop: Path, tiny_run: Run, tmp_path_factory: pytest.TempPathFactory
) -> Workspace:
    """Two evaluated runs. Read only."""
    return evaluate_two(tmp_path_factory.mktemp("reviewed") / "workspace", shop_config, tiny_run)


@pytest.fixture
def workspace(evaluated: Workspace, tmp_path: Path) -> Workspace:
    """The same in a place of its own, with MLflow on."""
    return copy_of(evaluated, tmp_path / "workspace")
