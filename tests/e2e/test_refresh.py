"""Nights of a small shop by one command: with newer data, with none, and with a kill -9 in between."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from command_line import RunMain, runner
from worked_example import SHOPKEEPER, Example, plain_environment, write_example

from training.runs.run import CHECKPOINT_FILE, Run

COMMAND = ("refresh", "--json", "--config", "my_shop.yaml")
SETTINGS: dict[str, dict[str, Any]] = {
    "encoder": {"model": "weighted_pooling"},
    "training": {"batch_tokens": 80, "max_epochs": 2, "checkpoint_minutes": 0.001},
    "tracking": {"enabled": False},
    "refresh": {"warm_start": True},
    "ranker": {"seed": 1},
}


@dataclass
class Nights:
    """A shop that gets a night after the other."""

    example: Example
    shopkeeper: RunMain

    def night(self, *arguments: str) -> tuple[int, dict[str, Any], str]:
        """(exit status, verdict, what was logged)."""
        done = self.shopkeeper(*COMMAND, *arguments)
        return done.status, json.loads(done.out), done.err

    def sell_until(self, sales: pl.DataFrame, day: str) -> None:
        sales.filter(pl.col("sold_at") < day).write_csv(self.example.folder / "sales.csv")

    def runs(self) -> list[Run]:
        return [Run(folder) for folder in sorted((self.example.workspace / "runs").glob("*/"))]

    def killed(self) -> None:
        """Begin a night, and kill -9 it in training."""
        before = len(self.runs())
        command = [str(SHOPKEEPER), *COMMAND]
        process = subprocess.Popen(command, cwd=self.example.folder, env=plain_environment())
        while not any((run.folder / CHECKPOINT_FILE).is_file() for run in self.runs()[before:]):
            assert process.poll() is None, "it ended before it was killed"
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL


@pytest.fixture
def nights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Nights:
    example = write_example(tmp_path / "shop", num_users=80)
    path = example.folder / "my_shop.yaml"
    settings = yaml.safe_load(path.read_text())
    for section, changes in SETTINGS.items():
        settings[section] = {**settings.get(section, {}), **changes}
    path.write_text(yaml.safe_dump(settings))
    monkeypatch.chdir(example.folder)
    return Nights(example, runner(monkeypatch, capsys))


def test_five_nights(nights: Nights) -> None:
    """One test, since every night begins where the one before ended."""
    sales = pl.read_csv(nights.example.folder / "sales.csv", infer_schema=False)
    nights.sell_until(sales, "2024-03-18")

    status, first, _ = nights.night()
    assert (status, first["outcome"]) == (0, "new_champion"), first
    assert "the first champion" in first["reason"]
    assert first["run"] == first["champion"] == nights.runs()[0].name
    assert list(first["seconds"]) == ["prepare", "train", "evaluate", "export", "gate", "promote", "clean"]
    assert first["figures"]["pipeline"] > first["figures"]["best_retriever"]

    status, unchanged, _ = nights.night()
    assert (status, unchanged["outcome"], unchanged["run"]) == (3, "kept", None)
    assert "nothing new to train on" in unchanged["reason"]
    assert len(nights.runs()) == 1

    products = nights.example.folder / "products.csv"
    products.write_text(products.read_text().replace("Bread no. 1,", "Loaf,", 1))
    status, catalogue, _ = nights.night()
    assert (status, catalogue["outcome"], catalogue["champion"]) == (0, "new_catalogue", first["champion"])
    bundle = nights.example.workspace / "bundles" / first["champion"]
    assert "Loaf" in pl.read_parquet(bundle / "catalogue.parquet")["title"].to_list()

    nights.sell_until(sales, "2024-03-25")
    nights.killed()
    begun = nights.runs()[1]
    assert begun.read().status == "running"
    status, second, logged = nights.night()
    assert (status, second["outcome"], second["continued"]) == (0, "new_champion", True), second
    assert second["champion"] == second["run"] == begun.name
    assert "prepare: done before the interruption" in logged
    assert "validation fit: resuming from its checkpoint" in logged
    assert f"replaying the champion {first['champion']} on the present window" in logged
    assert begun.read().warm_started_from == first["champion"]
    assert "over_champion" in second["figures"]
    assert len(nights.runs()) == 2

    status, last, _ = nights.night()
    assert (status, last["outcome"], last["champion"]) == (3, "kept", second["champion"])
