"""A training that is killed with kill -9 and resumed gives the same result, bit for bit, as an uninterrupted
one."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from command_line import runner
from mlflow import MlflowClient
from worked_example import SHOPKEEPER, Example, plain_environment, write_example

from training.runs.run import CHECKPOINT_FILE

OPTIONS = ("--no-evaluate", "--config", "my_shop.yaml", "--set", "training.checkpoint_minutes=0.001")
SPLIT_POINTS = ("validation", "test", "full")
WALL_CLOCK = ("interactions_per_second", "seconds")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Example:
    """With small batches, so that an epoch takes a while, and dropout, so that random numbers matter."""
    example = write_example(tmp_path_factory.mktemp("killed"), num_users=60)
    path = example.folder / "my_shop.yaml"
    settings = yaml.safe_load(path.read_text())
    settings["training"] |= {"batch_tokens": 80, "max_epochs": 3, "patience": 1}
    path.write_text(yaml.safe_dump(settings))
    example.must("prepare")
    return example


def kill_when(example: Example, arguments: tuple[str, ...], moment: Callable[[], bool]) -> None:
    """Start the command, and kill -9 it as soon as `moment` is true."""
    process = subprocess.Popen([str(SHOPKEEPER), *arguments], cwd=example.folder, env=plain_environment())
    while not moment():
        assert process.poll() is None, "it ended before it was killed"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def runs(example: Example) -> list[Path]:
    return sorted((example.workspace / "runs").glob("*/"))


def curves(run: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [
        {
            **line,
            "time": 0,
            "metrics": {name: value for name, value in line["metrics"].items() if name not in WALL_CLOCK},
        }
        for line in lines
    ]


def the_same(one: Path, other: Path) -> None:
    """The weights of every split point and the curves are equal, except for times."""
    for point in SPLIT_POINTS:
        ours, theirs = (torch.load(run / f"encoder-{point}.pt") for run in (one, other))
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert curves(one) == curves(other)


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")
def test_two_kills_and_two_resumptions_change_nothing(
    prepared: Example, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first kill comes in the middle of an epoch, the second after the first fit."""
    monkeypatch.chdir(prepared.folder)
    shopkeeper = runner(monkeypatch, capsys)
    assert shopkeeper("train", *OPTIONS).status == 0
    (untouched,) = runs(prepared)

    kill_when(
        prepared,
        ("train", *OPTIONS),
        lambda: any((run / CHECKPOINT_FILE).is_file() for run in runs(prepared)[1:]),
    )
    killed = runs(prepared)[1]
    state = torch.load(killed / CHECKPOINT_FILE)
    assert (state["series"], state["epoch"], state["finished"]) == ("validation", 0, False)
    assert state["steps"] > 0
    assert not (killed / "metrics.jsonl").exists()

    kill_when(prepared, ("train", "--resume", *OPTIONS), (killed / "encoder-validation.pt").is_file)
    assert not (killed / "encoder-full.pt").exists()
    assert runs(prepared) == [untouched, killed]

    assert shopkeeper("train", "--resume", *OPTIONS).out.strip() == str(killed.relative_to(prepared.folder))
    the_same(untouched, killed)
    assert json.loads((killed / "run.json").read_text())["status"] == "finished"
    assert not list(killed.glob(f"*{CHECKPOINT_FILE}*"))
    in_mlflow_as_one_run(prepared.mlflow(), untouched, killed)


def in_mlflow_as_one_run(client: MlflowClient, untouched: Path, killed: Path) -> None:
    """Two runs, one for each folder, both finished, with the same points in every curve."""
    found = {run.info.run_name: run for run in client.search_runs(["1"])}
    assert set(found) == {untouched.name, killed.name}
    for run in found.values():
        assert run.info.status == "FINISHED"
    for name in ("validation_loss", "validation_validation_recall", "full_loss"):
        points = [
            [
                (point.step, point.value)
                for point in client.get_metric_history(found[folder.name].info.run_id, name)
            ]
            for folder in (untouched, killed)
        ]
        assert points[0] == points[1]
        assert len(points[0]) == len({step for step, _ in points[0]}) > 0
