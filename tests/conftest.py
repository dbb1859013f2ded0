"""The folder of a test sets its marker (tests/unit → `unit`), and the small shop goes the whole way once for
all tests."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
import shop

from configs.schema import Config

if TYPE_CHECKING:
    from features.dataset import Dataset
    from serving.recommend.pipeline import Pipeline
    from training.runs.run import Run

_HERE = Path(__file__).parent
os.environ.setdefault(
    "OMP_NUM_THREADS", "1"
)  # threads cost a tiny model more than they bring, the more so on busy cores

hypothesis.settings.register_profile("shopkeeper", deadline=None)  # a busy machine is no fault of the code
hypothesis.settings.load_profile("shopkeeper")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(item.path.relative_to(_HERE).parts[0])


@pytest.fixture(scope="session")
def shop_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the small shop's events.csv and items.csv. Read only."""
    return shop.write_shop(tmp_path_factory.mktemp("raw"))


@pytest.fixture(scope="session")
def shop_config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """The small shop's settings, over files and a workspace of their own."""
    raw = shop.write_shop(tmp_path_factory.mktemp("shop") / "raw")
    return shop.make_config(raw, raw.parent / "workspace")


@pytest.fixture(scope="session")
def prepared_shop(shop_config: Config) -> Path:
    """The workspace with tables and dataset. Read only."""
    from features.prepare import prepare

    prepare(shop_config, now=shop.NOW)
    return shop_config.workspace


@pytest.fixture(scope="session")
def shop_dataset(prepared_shop: Path) -> Dataset:
    """The small shop's dataset."""
    from features.dataset import Dataset

    return Dataset.open(prepared_shop / "dataset")


@pytest.fixture(scope="session")
def tiny_run(shop_config: Config, shop_dataset: Dataset) -> Run:
    """A run with an encoder for each split point. Read only."""
    from features.splits import split_points
    from training.encoder.fit import fit_encoders
    from training.runs.run import Run

    run = Run.create(shop_config.workspace / "runs", name=shop_config.name)
    fit_encoders(shop_dataset, split_points(shop_dataset, shop_config.split), config=shop_config, run=run)
    run.update(status="finished")
    return run


@pytest.fixture(scope="session")
def tiny_bundle(shop_config: Config, shop_dataset: Dataset, tiny_run: Run) -> Path:
    """A bundle as of the end of the data, with its ranker. Read only: copy it before tampering."""
    from features.splits import split_points
    from training.export.fit_pipeline import bundle_folder, fit_pipeline

    _, test, full = split_points(shop_dataset, shop_config.split)
    out = bundle_folder(tiny_run, full)
    bundle = fit_pipeline(shop_dataset, test, full, config=shop_config, run=tiny_run)
    bundle.save(out, made_from=shop_dataset.fingerprint)
    return out


@pytest.fixture(scope="session")
def tiny_pipeline(tiny_bundle: Path) -> Pipeline:
    """The bundle, ready to answer."""
    from serving.recommend.pipeline import Pipeline

    return Pipeline.load(tiny_bundle)
