"""What MLflow gets, and the commands of reviewers."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from command_line import RunMain, runner
from mlflow import MlflowClient
from reviewed_runs import FIRST, NAUGHTY, SECOND, Workspace

from training.lifecycle import promote
from training.runs.record import BundleEntry
from training.runs.run import Run
from training.tracking.client import tracking_uri
from training.tracking.mlflow_sync import sync
from training.tracking.model_versions import register_bundle, set_alias


@pytest.fixture
def shopkeeper(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> RunMain:
    run = runner(monkeypatch, capsys)
    return lambda *arguments: run(*arguments, "--out", workspace.folder)


def client_of(workspace: Workspace) -> MlflowClient:
    return MlflowClient(tracking_uri(workspace.config), registry_uri=tracking_uri(workspace.config))


def bundles(workspace: Workspace) -> None:
    """The runs' bundles of the test split point in the place of exported ones, registered."""
    for run in (workspace.first, workspace.second):
        sync(run, workspace.config)
        bundle = workspace.folder / "bundles" / run.name
        bundle.parent.mkdir(exist_ok=True)
        (run.folder / "bundle-test").rename(bundle)
        version = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))["fingerprint"]
        registered = register_bundle(run, bundle, workspace.config, version=version)
        run.update(bundle={"version": version, "model_version": registered, "champion": False, "why": "lost"})


def bundle_of(run: Run) -> BundleEntry:
    found = run.read().bundle
    assert found is not None
    return found


def champion(workspace: Workspace) -> tuple[str, str]:
    """(the run that the server would take, the run with the alias)."""
    pointer = json.loads((workspace.folder / "champion.json").read_text(encoding="utf-8"))["run"]
    source = client_of(workspace).get_model_version_by_alias("shopkeeper", "champion").source
    return pointer, str(source).rsplit("/", 1)[1]


def test_mlflow_has_pages_pictures_figures_users_and_a_description(workspace: Workspace) -> None:
    sync(workspace.first, workspace.config)
    sync(workspace.first, workspace.config)  # again is as good as once
    client, run_id = client_of(workspace), workspace.first.read().mlflow_run
    data = client.get_run(run_id).data
    summary = json.loads((workspace.first.folder / "evaluation.json").read_text(encoding="utf-8"))
    assert (
        data.metrics["pipeline_all_capped_recall_20"]
        == summary["systems"]["pipeline"]["all"]["capped_recall_20"][0]
    )
    (over,) = (row for row in summary["over_retrievers"] if row["over"] == "popularity")
    assert (data.metrics["pipeline_over_popularity"], data.metrics["pipeline_over_popularity_low"]) == (
        over["mean"],
        over["low"],
    )
    lengths = [row for row in summary["breakdowns"] if row["by"] == "history"]
    assert data.metrics["pipeline_history_2"] == lengths[1]["systems"]["pipeline"][0]
    assert data.metrics["index_recall_100"] == 1.0
    assert data.tags["mlflow.note.content"].startswith("capped recall@20: 0.")
    names = {found.path for found in client.list_artifacts(run_id, "review")}
    assert {"review/review.html", "review/users.html", "review/by_history_length.png"} <= names
    table = json.loads(
        Path(client.download_artifacts(run_id, "twenty_users.json")).read_text(encoding="utf-8")
    )
    assert len(table["data"]) == 20 * 20
    assert table["columns"][:4] == ["user", "events before", "place", "product"]
    assert NAUGHTY in {row[3] for row in table["data"]}
    assert re.search(r"\bc\d{3}\b", json.dumps(table)) is None


def test_a_comparison_is_an_artefact_of_an_experiment_of_its_own(
    workspace: Workspace, shopkeeper: RunMain
) -> None:
    for run, epochs, ended_by in ((workspace.first, 3, "max_minutes"), (workspace.second, 16, "patience")):
        fit = run.read().fits["validation"]
        run.add_fit("validation", fit.model_copy(update={"epochs": epochs, "ended_by": ended_by}))
    done = shopkeeper("compare", FIRST, SECOND)
    assert done.status == 0, done.err
    first_line, header, *rows, page = done.out.splitlines()
    assert f"{FIRST} 3 epochs (ended by training.max_minutes), {SECOND} 16 epochs" in first_line
    assert first_line in (workspace.folder / "comparison.html").read_text(encoding="utf-8")
    assert "capped recall@20" in header
    assert [row.split()[0] for row in rows] == [FIRST, SECOND]
    assert page == str(workspace.folder / "comparison.html")
    assert (workspace.folder / "comparison.html").is_file()
    client = client_of(workspace)
    experiment = client.get_experiment_by_name("shopkeeper-comparisons")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert [found.path for found in client.list_artifacts(run.info.run_id)] == ["comparison.html"]
    assert client.get_experiment_by_name("shopkeeper") is None


def test_promote_moves_the_alias_and_the_servers_pointer_together(
    workspace: Workspace, shopkeeper: RunMain
) -> None:
    bundles(workspace)
    for run in (workspace.first, workspace.second):
        done = shopkeeper("promote", "--run", run.name, "--why", "it reads better")
        assert done.status == 0, done.err
        assert champion(workspace) == (run.name, run.name)
    why = bundle_of(workspace.second).why
    assert why == f"moved by hand from {FIRST}: it reads better"
    assert why in (workspace.second.folder / "review" / "review.html").read_text(encoding="utf-8")


def test_an_alias_moved_on_mlflows_pages_is_followed_when_asked(
    workspace: Workspace, shopkeeper: RunMain
) -> None:
    bundles(workspace)
    promote(workspace.config, workspace.first, why="the first")
    set_alias(workspace.config, model_version=str(bundle_of(workspace.second).model_version))
    assert champion(workspace) == (FIRST, SECOND)
    done = shopkeeper("promote", "--from-mlflow")
    assert done.status == 0, done.err
    assert champion(workspace) == (SECOND, SECOND)


def test_promote_says_what_is_missing(workspace: Workspace, shopkeeper: RunMain) -> None:
    for arguments, said in (
        ((), "--run NAME, or --from-mlflow"),
        (("--run", FIRST), f"shopkeeper export --run {FIRST}"),
        (("--run", "nobody"), "no such run"),
        (("--from-mlflow",), "no version of the model shopkeeper has the alias champion"),
    ):
        done = shopkeeper("promote", *arguments)
        assert done.status == 2
        assert said in done.err
    assert not (workspace.folder / "champion.json").exists()


def test_a_bundle_that_was_changed_does_not_become_champion(
    workspace: Workspace, shopkeeper: RunMain
) -> None:
    bundles(workspace)
    (workspace.folder / "bundles" / FIRST / "item_profiles" / "popularity.npy").write_bytes(b"other")
    done = shopkeeper("promote", "--run", FIRST)
    assert done.status == 2
    assert "popularity.npy" in done.err
    assert not (workspace.folder / "champion.json").exists()
