"""The folder of a test sets its marker (tests/unit → `unit`), and the small shop goes the whole way once for
all tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
import shop
from shared import once, shared_folder
from units import UnitScheduling, place_of

from configs.schema import Config
from configs.telemetry import disable_telemetry

if TYPE_CHECKING:
    from command_line import RunMain
    from redis_server import RedisServer

    from features.dataset import Dataset
    from serving.recommend.pipeline import Pipeline
    from serving.state.store_location import StoreLocation
    from training.runs.run import Run

disable_telemetry()
_HERE = Path(__file__).parent
os.environ.setdefault("OMP_NUM_THREADS", "1")
"""Threads cost a tiny model more than they bring, the more so on busy cores."""
for name in ("GITHUB_ACTIONS", "FORCE_COLOR", "PY_COLORS"):
    os.environ.pop(name, None)
"""Typer would colour its help for them, which tests read."""
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
"""Two dozen interpreters that the tests start import torch, which takes three times as long from source."""

hypothesis.settings.register_profile("shopkeeper", deadline=None)  # a busy machine is no fault of the code
hypothesis.settings.load_profile("shopkeeper")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by its folder; those that take long come first."""
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(item.path.relative_to(_HERE).parts[0])
    items.sort(key=lambda item: place_of(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One more than there are cores: many tests wait for servers that start, die and come back. No further
    process for a single file: what starting one takes, the file is often done in."""
    files = {argument.partition("::")[0] for argument in config.args}
    return 0 if len(files) == 1 and files.pop().endswith(".py") else (os.cpu_count() or 1) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Processes take units instead of tests."""
    return UnitScheduling(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture
def shopkeeper(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> RunMain:
    """`shopkeeper("train", "--out", folder)`: the command line, in this process."""
    from command_line import runner

    return runner(monkeypatch, capsys)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One for all tests of this process."""
    from redis_server import RedisServer

    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.kill()


@pytest.fixture(params=["sqlite", "redis"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> StoreLocation:
    """Of an empty event store: of each kind in turn."""
    if request.param == "sqlite":
        return tmp_path / "events.db"
    server: RedisServer = request.getfixturevalue("redis_server")
    server.empty()
    return server.location()


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
