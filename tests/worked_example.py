"""The README's worked example: a stranger's two CSV files, one YAML, and the real console script."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import yaml
from mlflow import MlflowClient
from shop import write_shop

README_YAML = Path(__file__).parents[1] / "configs" / "csv_example.yaml"
SHOPKEEPER = Path(sysconfig.get_path("scripts")) / "shopkeeper"
SMALL: dict[str, dict[str, Any]] = {
    "history": {"max_length": 40},
    "encoder": {"dim": 16, "num_layers": 1},
    "training": {
        "max_epochs": 3, "batch_tokens": 1024, "learning_rate": 0.01, "precision": "32-true", "device": "cpu",
    },
    "retrievers": {
        "num_neighbours": 10,
        "num_candidates": {"encoder": 30, "popularity": 30, "co_occurrence": 30, "next_basket": 30},
    },
    "ranker": {"max_epochs": 12, "hidden_dim": 8, "seed": 3},
    "evaluation": {"cutoffs": [5, 10, 20], "headline_k": 10, "bootstrap_samples": 50},
}  # fmt: skip
"""Settings with which the whole way takes seconds."""


@dataclass(frozen=True)
class Example:
    """A folder with `sales.csv`, `products.csv` and `my_shop.yaml`; the workspace is `my-shop` in it."""

    folder: Path

    @property
    def workspace(self) -> Path:
        return self.folder / "my-shop"

    def run(self, *arguments: str, config: str = "my_shop.yaml") -> subprocess.CompletedProcess[str]:
        """The console script in the folder, its output in pipes."""
        command = [str(SHOPKEEPER), *arguments, "--config", config]
        return subprocess.run(
            command, cwd=self.folder, env=plain_environment(), capture_output=True, text=True, check=False
        )

    def must(self, *arguments: str, config: str = "my_shop.yaml") -> subprocess.CompletedProcess[str]:
        """The same, which has to succeed."""
        done = self.run(*arguments, config=config)
        assert done.returncode == 0, f"shopkeeper {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}"
        return done

    def mlflow(self) -> MlflowClient:
        uri = f"sqlite:///{self.workspace / 'mlflow.db'}"
        return MlflowClient(uri, registry_uri=uri)

    def champion(self) -> str:
        """The name of the run whose bundle bears the alias in MLflow."""
        version = self.mlflow().get_model_version_by_alias("shopkeeper", "champion")
        return str(version.source).rsplit("/", 1)[1]


def write_example(folder: Path, *, num_users: int = 160) -> Example:
    """The shop's purchases under the column names of `configs/csv_example.yaml`, and that very file with
    settings for speed."""
    write_shop(folder, num_users=num_users)
    events = pl.read_csv(folder / "events.csv", infer_schema=False).filter(pl.col("action") == "purchase")
    events.select("sold_at", "customer", "sku", "receipt", "pieces", "unit_price").write_csv(
        folder / "sales.csv"
    )
    items = pl.read_csv(folder / "items.csv", infer_schema=False)
    items.select("sku", "name", "price", "availability", category="aisle").write_csv(folder / "products.csv")
    settings = yaml.safe_load(README_YAML.read_text(encoding="utf-8"))
    for section, changes in SMALL.items():
        settings[section] = {**settings.get(section, {}), **changes}
    (folder / "my_shop.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return Example(folder)


def plain_environment() -> dict[str, str]:
    """This process's environment without what would colour or widen the output."""
    dropped = ("FORCE_COLOR", "COLUMNS", "PYTHONWARNINGS")
    return {name: value for name, value in os.environ.items() if name not in dropped}


def tree(folder: Path) -> dict[str, int]:
    """Every file under the folder with its size: for what must not change."""
    return {
        str(path.relative_to(folder)): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
