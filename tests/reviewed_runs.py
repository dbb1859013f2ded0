"""Two evaluated runs of the small shop, one of whose products has a title that no page must take for HTML."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from configs.load import dump_config
from configs.schema import Config
from configs.settings.services import TrackingConfig
from training.lifecycle import evaluate_run
from training.runs.run import Run

FIRST, SECOND = "20240101-000000-first", "20240102-000000-second"
NAUGHTY = """<img src=x onerror="alert(1)"> & <b>Bread</b>"""
"""The title of the best-selling breads."""
_COPIED = ("encoder-validation.pt", "encoder-test.pt", "encoder-full.pt", "metrics.jsonl")


@dataclass(frozen=True)
class Workspace:
    """A workspace with two evaluated runs; the second has a linear ranker."""

    config: Config
    first: Run
    second: Run

    @property
    def folder(self) -> Path:
        return self.config.workspace


def evaluate_two(folder: Path, shop_config: Config, tiny_run: Run) -> Workspace:
    """Make them in `folder` from a run of the small shop, without MLflow."""
    shutil.copytree(shop_config.workspace / "dataset", folder / "dataset")
    catalogue = folder / "dataset" / "items.parquet"
    is_bread = pl.col("id").is_in(["bread1", "bread2", "bread3"])
    pl.read_parquet(catalogue).with_columns(
        title=pl.when(is_bread).then(pl.lit(NAUGHTY)).otherwise("title")
    ).write_parquet(catalogue)
    config = shop_config.model_copy(update={"workspace": folder})
    runs = []
    for name, hidden in ((FIRST, 8), (SECOND, 0)):
        run = Run(folder / "runs" / name)
        run.folder.mkdir(parents=True)
        for file in _COPIED:
            shutil.copy(tiny_run.folder / file, run.folder / file)
        settings = config.model_copy(
            update={"ranker": config.ranker.model_copy(update={"hidden_dim": hidden})}
        )
        (run.folder / "config.yaml").write_text(dump_config(settings), encoding="utf-8")
        run.update(**{**tiny_run.read().plain(), "dataset": _fingerprint(folder)})
        evaluate_run(settings, run)
        runs.append(run)
    return Workspace(config, *runs)


def copy_of(workspace: Workspace, folder: Path) -> Workspace:
    """A copy that may be changed, with MLflow on."""
    shutil.copytree(workspace.folder, folder)
    config = workspace.config.model_copy(
        update={"workspace": folder, "tracking": TrackingConfig(enabled=True)}
    )
    first, second = (Run(folder / "runs" / name) for name in (FIRST, SECOND))
    for run in (first, second):
        text = (run.folder / "config.yaml").read_text(encoding="utf-8")
        (run.folder / "config.yaml").write_text(
            text.replace("enabled: false", "enabled: true"), encoding="utf-8"
        )
    return Workspace(config, first, second)


def _fingerprint(folder: Path) -> str:
    from features.dataset import Dataset

    return Dataset.open(folder / "dataset").fingerprint
