"""Who is served: only a pipeline that beats every source alone, and the champion of the day, on the same
window."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from command_line import Done, runner
from worked_example import Example, tree, write_example


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

    def newer_sales(self, folder: Path, *, num_users: int) -> None:
        """The shop's sales with those of more customers: other training data that ends no earlier."""
        newer = write_example(folder, num_users=num_users)
        shutil.copy(newer.folder / "sales.csv", self.example.folder / "sales.csv")

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


def test_newer_data_under_the_champions_settings_replaces_it_and_other_settings_must_win(
    shop: Shop, tmp_path: Path
) -> None:
    """A week more of sales. The champion's bundle is judged as it is on the new window. Then a run with other
    settings that is no better loses, and the champion's settings on the newest data follow."""
    first, champion = shop.runs(), shop.example.champion()
    shop.newer_sales(tmp_path / "newer", num_users=170)
    assert shop("prepare").status == 0
    stale = shop("export", "--run", champion)
    assert stale.status == 2
    assert "was trained on other data" in stale.err
    assert shop("train", "--no-evaluate").status == 0
    done = shop("export")
    assert done.status == 0, done.err
    assert f"replaying the champion {champion} on the present window" in done.err
    assert "the new champion" in done.out
    second = shop.example.champion()
    assert second != champion
    assert len(shop.runs()) == len(first) + 1, "nothing was trained to compare with"
    pointer = json.loads((shop.example.workspace / "champion.json").read_text())
    assert (pointer["run"], pointer["previous"]) == (second, champion)

    shop.newer_sales(tmp_path / "newest", num_users=180)
    assert shop("prepare").status == 0
    other = ("--set", "encoder.dim=8", "--set", "encoder.num_heads=1", "--set", "ranker.max_epochs=1")
    assert shop("train", "--no-evaluate", *other).status == 0
    done = shop("export")
    assert done.status == 0, done.err
    assert "champion  no" in done.out
    assert f"fitting the champion's settings ({second}) on the present data" in done.err
    assert "successor " in done.out
    assert shop.example.champion() not in (champion, second)
    assert shop.example.champion() == shop.runs()[-1]


def test_an_edited_catalogue_blocks_nothing(shop: Shop) -> None:
    """The champion's bundle gets it without training, by itself or by the option, and stays champion."""
    champion, runs = shop.example.champion(), shop.runs()
    products = shop.example.folder / "products.csv"
    for availability, arguments in (("out_of_stock", ()), ("preorder", ("--catalogue-only",))):
        versions = [json.loads((shop.example.workspace / "champion.json").read_text())["version"]]
        lines = products.read_text().splitlines()
        lines = [
            re.sub(",[a-z_]*_stock|,preorder", f",{availability}", line)
            if line.startswith("bread1,")
            else line
            for line in lines
        ]
        products.write_text("\n".join(lines) + "\n")
        assert shop("prepare").status == 0
        done = shop("export", *arguments)
        assert done.status == 0, done.err
        assert "gets the present catalogue" in done.err
        assert "champion  yes" in done.out
        versions.append(json.loads((shop.example.workspace / "champion.json").read_text())["version"])
        assert len(set(versions)) == 2
        bundle = shop.example.workspace / "bundles" / champion
        catalogue = pl.read_parquet(bundle / "catalogue.parquet")
        assert catalogue.filter(pl.col("id") == "bread1")["availability"].item() == availability
    assert (shop.runs(), shop.example.champion()) == (runs, champion)


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
