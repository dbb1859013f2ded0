"""What must stay in the workspace: the login of a tracking URI, and the keys of people."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from mlflow import MlflowClient

from configs.load import dump_config
from configs.schema import Config
from configs.settings.services import TrackingConfig
from training.runs.resumable_run import resumed_config
from training.runs.run import Run
from training.tracking.client import tracking_uri
from training.tracking.mlflow_sync import sync
from training.tracking.tracked_settings import without_login
from training.train import train

URI = "https://ann:s3cret@tracking.example:5000/mlflow"
BOTS = ["robot-1", "robot-2"]


def test_mlflow_gets_no_login_and_the_run_keeps_it(shop_config: Config, tmp_path: Path) -> None:
    """The run's settings name a server with a login; here it is brought into a local MLflow, whose every file
    is looked into."""
    config = shop_config.model_copy(update={"workspace": tmp_path, "tracking": TrackingConfig()})
    run = Run.create(tmp_path / "runs", name="shop")
    run.update(status="failed")
    theirs = config.model_copy(update={"tracking": TrackingConfig(uri=URI)})
    (run.folder / "config.yaml").write_text(dump_config(theirs), encoding="utf-8")
    sync(run, config)
    client, run_id = MlflowClient(tracking_uri(config)), run.read().mlflow_run
    assert client.get_run(run_id).data.params["tracking.uri"] == without_login(URI)
    copy = Path(client.download_artifacts(run_id, "config.yaml")).read_text(encoding="utf-8")
    assert copy == dump_config(theirs).replace(URI, without_login(URI))
    assert [path for path in files_of_mlflow(tmp_path) if b"s3cret" in path.read_bytes()] == []
    assert resumed_config(run, [], workspace=tmp_path).tracking.uri == URI


def test_people_whom_prepare_names_are_a_number_in_the_run(
    shop_config: Config, prepared_shop: Path, tmp_path: Path
) -> None:
    shutil.copytree(prepared_shop / "dataset", tmp_path / "dataset")
    report = {
        **json.loads((prepared_shop / "tables" / "report.json").read_text(encoding="utf-8")),
        "suspected_bots": BOTS,
    }
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "report.json").write_text(json.dumps(report), encoding="utf-8")
    training = shop_config.training.model_copy(update={"max_epochs": 1})
    run = train(
        shop_config.model_copy(
            update={"workspace": tmp_path, "tracking": TrackingConfig(), "training": training}
        )
    )
    kept = json.loads((run.folder / "prepare_report.json").read_text(encoding="utf-8"))
    assert kept == {**report, "suspected_bots": len(BOTS)}
    left = [path for path in (*files_of_mlflow(tmp_path), *run.folder.rglob("*")) if path.is_file()]
    assert any(path.parent != run.folder and path.name == "prepare_report.json" for path in left)
    assert [path for path in left if b"robot-" in path.read_bytes()] == []


def files_of_mlflow(workspace: Path) -> list[Path]:
    """Its database and its artefacts."""
    return [
        workspace / "mlflow.db",
        *(path for path in (workspace / "mlartifacts").rglob("*") if path.is_file()),
    ]
