"""A training that is killed at any write and resumed gives the same weights and curves as an uninterrupted
one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import shop
import torch
from command_line import RunMain, runner

import training.encoder.optimizer
import training.train
from configs.exceptions import ArtefactError, ConfigError, TrainingError
from configs.load import dump_config
from configs.schema import Config
from features.dataset import Dataset
from features.splits import split_points
from training.encoder.fit import fit_encoders
from training.runs.resumable_run import resumed_config, run_to_resume
from training.runs.run import CHECKPOINT_FILE, Run

SPLIT_POINTS = ("validation", "test", "full")
WALL_CLOCK = ("interactions_per_second", "seconds")


class Killed(BaseException):
    """What no `except Exception` catches."""


def settings(prepared_shop: Path, *overrides: str) -> Config:
    raw = prepared_shop.parent / "raw"
    return shop.make_config(
        raw,
        prepared_shop,
        "training.batch_tokens=512",
        "training.max_epochs=3",
        "training.patience=1",
        "training.learning_rate=0.3",
        *overrides,
    )


def outcome(run: Run) -> tuple[list[tuple[object, ...]], dict[str, torch.Tensor]]:
    """(curves without times, all weights of every split point)."""
    weights = {
        f"{point} {name}": value
        for point in SPLIT_POINTS
        for name, value in torch.load(run.folder / f"encoder-{point}.pt", weights_only=True).items()
    }
    curves = [
        (
            line["series"],
            line["step"],
            *(value for name, value in line["metrics"].items() if name not in WALL_CLOCK),
        )
        for line in run.curves()
    ]
    return curves, weights


def the_same(one: Run, other: Run) -> None:
    (curves, weights), (other_curves, other_weights) = outcome(one), outcome(other)
    assert curves == other_curves
    assert weights.keys() == other_weights.keys()
    assert all(torch.equal(weights[name], other_weights[name]) for name in weights)


@contextmanager
def killed_at(number: int, *, after: bool) -> Iterator[None]:
    """Die at the write of that number, right before or right after the rename that ends it."""
    count, replace = 0, Path.replace

    def counted(path: Path, target: Path) -> Path:
        nonlocal count
        count += 1
        if count == number and not after:
            raise Killed
        replace(path, target)
        if count == number:
            raise Killed
        return target

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", counted)
        yield


def killed_thrice(run: Run, dataset: Dataset, config: Config) -> None:
    """And resumed each time, to the end."""
    for number in (9, 4, 15):
        with pytest.raises(Killed), killed_at(number, after=True):
            fit_encoders(dataset, split_points(dataset, config.split), config=config, run=run)
    fit_encoders(dataset, split_points(dataset, config.split), config=config, run=run)


@pytest.fixture(scope="module")
def untouched(prepared_shop: Path, shop_dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    config = settings(prepared_shop)
    run = Run.create(tmp_path_factory.mktemp("untouched"), name="test")
    fit_encoders(shop_dataset, split_points(shop_dataset, config.split), config=config, run=run)
    return run


def test_killed_at_many_writes_the_result_is_the_same(
    prepared_shop: Path, shop_dataset: Dataset, untouched: Run, tmp_path: Path
) -> None:
    config = settings(prepared_shop, "training.checkpoint_minutes=1e-6")
    run, generator = Run.create(tmp_path, name="test"), np.random.default_rng(0)
    kills = 0
    while not (run.folder / "encoder-full.pt").is_file():
        try:
            with killed_at(int(generator.integers(1, 12)), after=bool(generator.integers(2))):
                fit_encoders(shop_dataset, split_points(shop_dataset, config.split), config=config, run=run)
        except Killed:
            kills += 1
        assert kills < 60, "no progress"
    assert kills > 5
    the_same(run, untouched)
    assert not list(run.folder.glob(".*.part"))


def test_killed_with_sparse_updates_the_result_is_the_same(
    prepared_shop: Path,
    shop_dataset: Dataset,
    untouched: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With sparse updates of the item table, as for a large catalogue."""
    monkeypatch.setattr(training.encoder.optimizer, "ROWS_FROM", 1)
    config = settings(prepared_shop)
    uninterrupted = Run.create(tmp_path / "uninterrupted", name="test")
    fit_encoders(shop_dataset, split_points(shop_dataset, config.split), config=config, run=uninterrupted)
    with pytest.raises(AssertionError):
        the_same(uninterrupted, untouched)  # sparse updates differ from dense ones
    config = settings(prepared_shop, "training.checkpoint_minutes=1e-6")
    run = Run.create(tmp_path / "killed", name="test")
    killed_thrice(run, shop_dataset, config)
    the_same(run, uninterrupted)


@pytest.mark.parametrize("model", ["bsarec", "two_tower"])
def test_killed_with_weight_averaging_and_item_masking_the_result_is_the_same(
    model: str, prepared_shop: Path, shop_dataset: Dataset, tmp_path: Path
) -> None:
    """The second has an item tower, which reads texts."""
    averaged = (
        "training.weight_averaging=0.9",
        "training.item_mask_prob=0.3",
        f"encoder.model={model}",
        "encoder.num_heads=1",
    )
    config = settings(prepared_shop, *averaged)
    uninterrupted = Run.create(tmp_path / "uninterrupted", name="test")
    fit_encoders(shop_dataset, split_points(shop_dataset, config.split), config=config, run=uninterrupted)
    config = settings(prepared_shop, *averaged, "training.checkpoint_minutes=1e-6")
    run = Run.create(tmp_path / "killed", name="test")
    killed_thrice(run, shop_dataset, config)
    the_same(run, uninterrupted)


@pytest.fixture
def shopkeeper(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> RunMain:
    return runner(monkeypatch, capsys)


@pytest.fixture
def workspace(prepared_shop: Path, tmp_path: Path) -> Path:
    """A workspace of its own over the shop's dataset, and its settings in `my.yaml`."""
    (tmp_path / "dataset").symlink_to(prepared_shop / "dataset")
    (tmp_path / "my.yaml").write_text(dump_config(settings(prepared_shop)))
    return tmp_path


def test_ctrl_c_and_a_loss_of_nan_leave_no_trace(
    shopkeeper: RunMain, workspace: Path, untouched: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped by Ctrl-C after an epoch, resumed with a far too high learning rate, then with the old one."""
    command = ("train", "--no-evaluate", "--config", workspace / "my.yaml", "--out", workspace)
    presses = iter([True])

    def ctrl_c(*_: object) -> None:
        if next(presses, False):
            raise KeyboardInterrupt

    monkeypatch.setattr(training.train, "SyncAfterEpochs", lambda *_: ctrl_c)
    stopped = shopkeeper(*command)
    assert stopped.status == 130
    assert "shopkeeper train --resume" in stopped.err
    run = run_to_resume(workspace, None, evaluated=True)
    before = (run.folder / CHECKPOINT_FILE).read_bytes()

    diverged = shopkeeper(*command, "--resume", "--set", "training.learning_rate=1e30")
    assert diverged.status == 2
    assert "became" in diverged.err
    assert "lower training.learning_rate (now 1e+30)" in diverged.err.replace("\n", " ")
    assert f"{run.folder / CHECKPOINT_FILE}" in diverged.err.replace("\n", "")
    assert (run.folder / CHECKPOINT_FILE).read_bytes() == before
    assert run.read().status == "failed"

    assert shopkeeper(*command, "--resume", "--set", "training.learning_rate=0.3").status == 0
    assert [entry.changed for entry in run.read().resumed] == [["training.learning_rate"]] * 2
    assert run.read().status == "finished"
    the_same(run, untouched)
    nothing = shopkeeper(*command, "--resume")
    assert nothing.status == 2
    assert "no unfinished run here, so there is nothing to resume" in nothing.err


def test_an_out_of_memory_error_says_what_to_set(shopkeeper: RunMain, workspace: Path) -> None:
    """80 TB of negatives, which torch's allocator really refuses."""
    command = ("train", "--no-evaluate", "--config", workspace / "my.yaml", "--out", workspace)
    done = shopkeeper(*command, "--set", "training.num_negatives=10000000000000")
    assert done.status == 2
    assert "did not fit into memory" in done.err
    assert "training.batch_tokens=256 (now 512)" in done.err
    assert "training.num_negatives=5000000000000" in done.err
    assert shopkeeper(*command, "--resume", "--set", "training.num_negatives=32").status == 0


def test_which_run_is_resumed_and_which_settings_may_change(tmp_path: Path, prepared_shop: Path) -> None:
    config = settings(prepared_shop)
    there = {
        "20240101-a": "failed",
        "20240102-b": "running",
        "20240103-c": "finished",
        "20240104-d": "running",
    }
    for name, status in there.items():
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        if name != "20240104-d":  # killed before there was anything
            (folder / "config.yaml").write_text(dump_config(config))
        Run(folder).update(status=status)
    run = run_to_resume(tmp_path, None, evaluated=False)
    assert run.name == "20240102-b"
    assert run_to_resume(tmp_path, None, evaluated=True).name == "20240103-c"
    assert run_to_resume(tmp_path, "20240101-a", evaluated=True).name == "20240101-a"
    with pytest.raises(ArtefactError, match=r"--run 20240103-c: this run is finished"):
        run_to_resume(tmp_path, "20240103-c", evaluated=False)
    changed = resumed_config(run, ["training.batch_tokens=256", "encoder.dim=16"], workspace=tmp_path)
    assert (changed.training.batch_tokens, changed.workspace) == (256, tmp_path)
    with pytest.raises(
        ConfigError,
        match=r"encoder\.dim=32 \(the run has 16\).*Those that may change: training\.learning_rate",
    ):
        resumed_config(run, ["encoder.dim=32"], workspace=tmp_path)
    with run.lock(), pytest.raises(TrainingError, match=r"another process"), run.lock():
        pass


def test_a_run_of_other_data_is_not_resumed(
    shopkeeper: RunMain, workspace: Path, prepared_shop: Path
) -> None:
    run = Run.create(workspace / "runs", name="other")
    (run.folder / "config.yaml").write_text(dump_config(settings(prepared_shop)))
    run.update(status="failed", dataset="0123456789abcdef")
    done = shopkeeper("train", "--resume", "--out", workspace)
    assert done.status == 2
    assert "was trained on other data (fingerprint 0123456789abcdef)" in done.err
