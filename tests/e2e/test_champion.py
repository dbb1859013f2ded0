"""Who is served: only a pipeline that beats every source alone, and the champion of the day, on the same
window."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Done, runner
from worked_example import Example, tree, write_example

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader")  # SQLAlchemy on a part of MLflow


class Shop:
    """The worked example, by `main` in this process."""

    def __init__(self, example: Example, run: Any) -> None:
        self.example, self._run = example, run

    def __call__(self, *arguments: object) -> Done:
        done: Done = self._run(
            *arguments, "--config", self.example.folder / "my_shop.yaml", "--out", self.example.workspace
        )
        return done

    def export(self, *arguments: object) -> str:
        """What the gate said."""
        done = self("export", *arguments)
        assert done.status == 0, done.err
        return done.out

    def runs(self) -> list[str]:
        return sorted(path.name for path in (self.example.workspace / "runs").iterdir())

    def set_figures(self, run: str, figure: float) -> None:
        """Give every user of a run's table this figure for the pipeline, as a better or worse model would."""
        path = self.example.workspace / "runs" / run / "evaluation_users.npz"
        found = dict(np.load(path))
        np.savez(path, **{**found, "pipeline": np.full_like(found["pipeline"], figure)})


@pytest.fixture
def shop(
    example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shop:
    """The example as it was after its three commands, in a place of its own: MLflow's paths are written anew
    by the exports."""
    shutil.copytree(example.folder, tmp_path / "copy")
    copy = Example(tmp_path / "copy")
    monkeypatch.chdir(copy.folder)
    return Shop(copy, runner(monkeypatch, capsys))


@pytest.mark.parametrize(("champions_figure", "wins"), [(1.0, False), (0.0, True)])
def test_a_run_takes_the_alias_only_from_a_worse_one(shop: Shop, champions_figure: float, wins: bool) -> None:
    """The second run has the same table as the first, so that only the champion's figures decide."""
    champion = shop.example.champion()
    shutil.copytree(shop.example.workspace / "runs" / champion, shop.example.workspace / "runs" / "second")
    shop.set_figures(champion, champions_figure)
    said = shop.export("--run", "second")
    assert ("champion  yes" if wins else "champion  no") in said
    assert ("the new champion" if wins else "the champion stays") in said
    assert shop.example.champion() == ("second" if wins else champion)
    assert (shop.example.workspace / "bundles" / "second" / "manifest.json").is_file()
    assert f'"run": "{shop.example.champion()}"' in (shop.example.workspace / "champion.json").read_text()


def test_a_crippled_run_loses_to_a_retriever_alone_and_says_how_to_serve_it(shop: Shop) -> None:
    champion = shop.example.champion()
    assert (
        shop(
            "train",
            "--no-evaluate",
            "--set",
            "training.max_epochs=1",
            "--set",
            "training.initial_vectors=random",
            "--set",
            "ranker.max_epochs=1",
            "--set",
            "ranker.learning_rate=1e-9",
        ).status
        == 0
    )
    done = shop("export")
    assert "training.max_epochs=1 (not 3)" in done.err
    assert "a retriever alone is as good" in done.out
    assert "--bundle" in done.err
    assert shop.example.champion() == champion


def test_a_champion_of_other_data_is_fitted_on_the_present_data_first(shop: Shop, tmp_path: Path) -> None:
    first = shop.runs()
    champion = shop.example.champion()
    newer = write_example(tmp_path / "newer", num_users=120)
    shutil.copy(newer.folder / "sales.csv", shop.example.folder / "sales.csv")
    assert shop("prepare").status == 0
    stale = shop("export", "--run", champion)
    assert stale.status == 2
    assert "was trained on other data" in stale.err
    assert shop("train", "--no-evaluate").status == 0
    done = shop("export")
    assert done.status == 0, done.err
    assert f"fitting the champion's settings ({champion}) on the present data" in done.err
    assert "against the champion +0.0000" in done.out, "the same settings and seed on the same data"
    assert shop.example.champion() == champion
    assert len(shop.runs()) == len(first) + 2


def test_a_file_where_the_bundles_should_be(shop: Shop) -> None:
    champion = shop.example.champion()
    shutil.rmtree(shop.example.workspace / "bundles")
    (shop.example.workspace / "bundles").write_text("mine")
    before = tree(shop.example.workspace / "runs")
    done = shop("export", "--run", champion)
    assert done.status == 2
    assert "bundles" in done.err
    assert "could not be written" in done.err
    assert tree(shop.example.workspace / "runs") == before
    assert (shop.example.workspace / "bundles").read_text() == "mine"
