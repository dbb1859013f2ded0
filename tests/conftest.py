"""The folder of a test sets its marker (tests/unit → `unit`), and the small shop goes the whole way once for
all tests."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
import shop
from shared import once, shared_folder
from xdist.scheduler import LoadScopeScheduling

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


_WORKED_EXAMPLE = {
    "test_champion.py",
    "test_golden_losses.py",
    "test_live_server.py",
    "test_own_csv.py",
    "test_resume.py",
    "test_server.py",
    "test_without_torch.py",
}
"""Files whose tests run in one process: those of the worked example, which is trained once, and those that
start Ray, since two servers would share ports."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by its folder."""
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(item.path.relative_to(_HERE).parts[0])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """A file's tests run in one process, for the fixtures that they share, and those of the worked example
    too."""

    class ByFile(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.split("::", 1)[0]
            return "example" if Path(file).name in _WORKED_EXAMPLE else file

    return ByFile(config, log)


@pytest.fixture(scope="session")
def shop_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the small shop's events.csv and items.csv. Read only."""
    return once(shared_folder(tmp_path_factory) / "raw", write_small_shop)


def write_small_shop(folder: Path) -> None:
    shop.write_shop(folder)


@pytest.fixture(scope="session")
def shop_config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """The small shop's settings, over files and a workspace of their own."""
    folder = once(shared_folder(tmp_path_factory) / "shop", lambda made: write_small_shop(made / "raw"))
    return shop.make_config(folder / "raw", folder / "workspace")


@pytest.fixture(scope="session")
def prepared_shop(shop_config: Config) -> Path:
    """The workspace with tables and dataset. Read only."""
    from features.prepare import prepare

    return once(shop_config.workspace, lambda _: prepare(shop_config, now=shop.NOW))


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

    def train(folder: Path) -> None:
        run = Run(folder)
        folder.mkdir(parents=True)
        timeline = split_points(shop_dataset, shop_config.split)
        fit_encoders(shop_dataset, timeline, config=shop_config, run=run)
        run.update(status="finished")

    (shop_config.workspace / "runs").mkdir(exist_ok=True)
    return Run(once(shop_config.workspace / "runs" / "20240101-000000-tiny", train))


@pytest.fixture(scope="session")
def tiny_bundle(shop_config: Config, shop_dataset: Dataset, tiny_run: Run) -> Path:
    """A bundle as of the end of the data, with its ranker. Read only: copy it before tampering."""
    from features.splits import split_points
    from training.export.fit_pipeline import bundle_folder, fit_pipeline

    _, test, full = split_points(shop_dataset, shop_config.split)

    def export(folder: Path) -> None:
        bundle = fit_pipeline(shop_dataset, test, full, config=shop_config, run=tiny_run)
        bundle.save(folder, made_from=shop_dataset.fingerprint)

    return once(bundle_folder(tiny_run, full), export)


@pytest.fixture(scope="session")
def tiny_pipeline(tiny_bundle: Path) -> Pipeline:
    """The bundle, ready to answer."""
    from serving.recommend.pipeline import Pipeline

    return Pipeline.load(tiny_bundle)
