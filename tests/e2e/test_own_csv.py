"""A stranger's CSV with column names of its own goes the whole way by three commands, and a fourth shows a
list."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import polars as pl
from worked_example import SHOPKEEPER, Example, plain_environment

from features.ingest.tables import Tables


def said(example: Example, command: str) -> str:
    """What the command wrote to stdout and stderr when the example was made."""
    return (example.folder / f"{command}.out").read_text() + (example.folder / f"{command}.err").read_text()


def test_every_command_names_what_it_made_and_the_next(example: Example) -> None:
    assert "Go: there is enough to train on" in said(example, "prepare")
    assert "Next: shopkeeper train" in said(example, "prepare")
    assert re.search(r"^the pipeline +0\.\d{4}", said(example, "train"), re.MULTILINE)
    assert "Next: shopkeeper export" in said(example, "train")
    assert re.search(
        r"champion  yes: pipeline capped_recall_10 0\.\d{4}.*first champion", said(example, "export")
    )


def test_in_a_pipe_every_line_is_plain(example: Example) -> None:
    for command in ("prepare", "train", "export"):
        text = said(example, command)
        assert "\x1b" not in text
        assert "\r" not in text
        assert not [line for line in text.splitlines() if "Warning" in line or "INFO" in line]
    assert re.search(
        r"^validation epoch 1: loss \d\.\d{4}, validation recall 0\.\d{4}, [\d,]+ interactions/s$",
        said(example, "train"),
        re.M,
    )


def test_recommend_prints_names_and_reasons(example: Example) -> None:
    found = example.must("recommend", "--user", "c001", "--num", "5").stdout
    rows = [line for line in found.splitlines() if re.match(r"\s*\d ", line)]
    assert len(rows) == 5
    assert all(re.search(r"\d  [a-z]+\d +[A-Z][a-z]+ no\. \d +\d\.\d\d  \S", row) for row in rows), found
    assert re.search(r"Bought (once|\d+ times)", found)


def test_a_stranger_gets_a_list_that_says_so(example: Example) -> None:
    found = example.must("recommend", "--user", "nobody we know", "--item", "unheard-of").stdout
    assert "popularity: nothing is known of this user yet" in found
    assert "note: item 'unheard-of' is not in the catalogue" in found


def test_mlflow_has_the_run_with_all_that_a_figure_needs(example: Example) -> None:
    client = example.mlflow()
    [run] = [one for one in client.search_runs(["1"]) if one.info.run_name == example.champion()]
    assert run.info.status == "FINISHED"
    assert run.data.params["training.learning_rate"] == "0.01"
    assert run.data.params["data.event_columns.user_id"] == "customer"
    manifest = json.loads((example.workspace / "dataset" / "manifest.json").read_text())
    assert run.data.tags["dataset"] == manifest["fingerprint"]
    assert int(run.data.tags["cores"]) >= 1
    assert run.data.tags["cpu"]
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    if commit.returncode == 0:
        assert re.fullmatch("[0-9a-f]{40}", run.data.tags["commit"])
    assert [round(point.step) for point in client.get_metric_history(run.info.run_id, "validation_loss")] == [
        0,
        1,
        2,
    ]
    assert run.data.metrics["validation_interactions_per_second"] > 0
    printed = re.search(r"^the pipeline +(0\.\d{4})", said(example, "train"), re.MULTILINE)
    assert printed is not None
    assert f"{run.data.metrics['pipeline_all_capped_recall_10']:.4f}" == printed[1]
    assert (
        run.data.metrics["pipeline_all_capped_recall_10"]
        > run.data.metrics["popularity_all_capped_recall_10"]
    )
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert {"config.yaml", "evaluation.json", "evaluation.txt", "prepare_report.json"} <= files


def test_the_registered_model_leads_to_the_bundle_that_is_served(example: Example) -> None:
    version = example.mlflow().get_model_version_by_alias("shopkeeper", "champion")
    pointer = json.loads((example.workspace / "champion.json").read_text())
    assert version.source == (example.workspace / pointer["bundle"]).resolve().as_uri()
    assert version.tags["bundle_version"] == pointer["version"]
    assert example.mlflow().get_run(version.run_id).info.run_name == pointer["run"]


def test_events_go_into_the_store_once_and_come_out_as_a_table_to_prepare(example: Example) -> None:
    example.must("events", "import")
    again = example.must("events", "import")
    assert "imported before: nothing to do" in again.stderr
    example.must("events", "export", "--to", "exported")
    exported = pl.read_parquet(example.folder / "exported" / "events.parquet")
    tables = Tables.open(example.workspace / "tables").events.collect()
    assert len(exported) == len(tables)
    command = [str(SHOPKEEPER), "prepare", "--out", "second", "--set", "data.reader=parquet", "--set"]
    command.append("data.events=exported/events.parquet")
    subprocess.run(command, cwd=example.folder, env=plain_environment(), capture_output=True, check=True)
    second = Tables.open(example.folder / "second" / "tables").events.collect()
    assert second.select(tables.columns).sort("event_id", "line").equals(tables.sort("event_id", "line"))
