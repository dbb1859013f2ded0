"""A workspace that is moved or copied takes its MLflow with it, whatever characters its path has."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.tracking._tracking_service import utils
from worked_example import tree

from configs.schema import Config
from configs.settings.services import TrackingConfig
from training.runs.run import Run
from training.tracking.client import artifact_location, mlflow_client, require_tracking, tracking_uri
from training.tracking.mlflow_sync import sync
from training.tracking.model_versions import register_bundle

ODD = "a b#c?d=e%20f%é商店"


@pytest.fixture
def with_bundle(run: Run, tracked: Config) -> Config:
    """The workspace, its run and a bundle of it in MLflow."""
    sync(run, tracked)
    assert register_bundle(run, tracked.workspace / "bundles" / run.name, tracked, version="1") == "1"
    return tracked


def at(config: Config, workspace: Path) -> Config:
    return config.model_copy(update={"workspace": workspace})


def synced(run: Run, config: Config) -> dict[str, str]:
    """Bring the run of the workspace into MLflow once more; returns where MLflow has what, below it."""
    utils._artifact_repos_cache.clear()  # a command begins without what an earlier one found
    here = Run(config.workspace / "runs" / run.name)
    (here.folder / "evaluation.txt").write_text("the table", encoding="utf-8")
    sync(here, config)
    client, run_id = MlflowClient(tracking_uri(config)), here.read().mlflow_run
    copy = Path(client.download_artifacts(run_id, "evaluation.txt"))
    assert copy.read_text(encoding="utf-8") == "the table"
    workspace = config.workspace.resolve().as_uri()
    locations = {
        "experiment": client.get_experiment_by_name("shopkeeper").artifact_location,
        "run": client.get_run(run_id).info.artifact_uri,
        "bundle": client.get_model_version("shopkeeper", "1").source,
    }
    assert all(location.startswith(workspace) for location in locations.values())
    assert list((config.workspace / "mlartifacts").glob("*/artifacts/evaluation.txt"))
    return {name: location.removeprefix(workspace) for name, location in locations.items()}


@pytest.mark.parametrize("name", ["moved", ODD])
def test_a_moved_workspace_takes_mlflow_with_it(
    run: Run, with_bundle: Config, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with_bundle.workspace.rename(tmp_path / name)
    found = synced(run, at(with_bundle, tmp_path / name))
    assert found["experiment"] == "/mlartifacts"
    assert found["run"].startswith("/mlartifacts/")
    assert found["bundle"] == f"/bundles/{run.name}"
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert capsys.readouterr().err.count("move with the workspace") == 1


def test_a_copied_workspace_leaves_the_first_as_it_was(run: Run, with_bundle: Config, tmp_path: Path) -> None:
    shutil.copytree(with_bundle.workspace, tmp_path / "copy")
    before = tree(with_bundle.workspace)
    synced(run, at(with_bundle, tmp_path / "copy"))
    assert tree(with_bundle.workspace) == before


def test_a_place_that_was_chosen_elsewhere_is_kept(
    tracked: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An experiment in a bucket stays there; one of a shared database is said to be outside."""
    client = mlflow_client(tracked)
    client.create_experiment("shopkeeper", "s3://bucket/mlartifacts")
    mlflow_client(at(tracked, tracked.workspace))
    assert client.get_experiment_by_name("shopkeeper").artifact_location == "s3://bucket/mlartifacts"
    shared = TrackingConfig(uri=tracking_uri(tracked), experiment="elsewhere")
    client.create_experiment("elsewhere", artifact_location(tracked))
    other = tracked.model_copy(update={"workspace": tmp_path / "other", "tracking": shared})
    require_tracking(other)
    assert f"outside the workspace: {artifact_location(tracked)}" in capsys.readouterr().err
