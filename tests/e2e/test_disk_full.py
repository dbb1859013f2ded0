"""A disk that fills up while something is written: said plainly, nothing lost and nothing half there. On a
real small disk."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import shop
from command_line import RunMain
from worked_example import tree

from configs.load import dump_config
from training.runs.run import Run


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"mounting a small file system is not permitted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path, *, leave: int) -> None:
    """Take all room but so many bytes."""
    with (disk / "filler").open("wb") as file:
        file.write(b"x" * (shutil.disk_usage(disk).free - leave))
        os.fsync(file.fileno())


def refused(shopkeeper: RunMain, *arguments: object, disk: Path) -> None:
    """Exit status 2 and a remedy, and every file but the log of the attempt as it was."""
    before = tree(disk)
    done = shopkeeper(*arguments)
    assert done.status == 2, done
    assert "the disk is full (" in done.err.replace("\n", " ")
    assert "Make room" in done.err
    assert done.err.count("Error: ") == 1
    assert "Traceback" not in done.err
    after = tree(disk)
    assert {name: after.get(name) for name in before} == before
    assert not [name for name in after if ".part" in str(name)]


def test_preparing_on_a_full_disk_keeps_the_old_tables(
    shopkeeper: RunMain, small_disk: Path, tmp_path: Path
) -> None:
    config = shop.make_config(shop.write_shop(tmp_path / "raw", num_users=40), small_disk)
    (tmp_path / "my.yaml").write_text(dump_config(config))
    command = ("prepare", "--config", tmp_path / "my.yaml")
    assert shopkeeper(*command).status == 0
    shop.write_shop(tmp_path / "raw", num_users=80)
    fill(small_disk, leave=20_000)
    refused(shopkeeper, *command, disk=small_disk)


def test_training_and_exporting_on_a_full_disk_go_on_when_there_is_room(
    shopkeeper: RunMain, small_disk: Path, prepared_shop: Path, tmp_path: Path
) -> None:
    for folder in ("tables", "dataset"):
        shutil.copytree(prepared_shop / folder, small_disk / folder)
    config = shop.make_config(prepared_shop.parent / "raw", small_disk)
    (tmp_path / "my.yaml").write_text(dump_config(config))
    fill(small_disk, leave=60_000)
    refused(shopkeeper, "train", "--config", tmp_path / "my.yaml", disk=small_disk)
    (run,) = (small_disk / "runs").glob("*/")
    assert not list(run.glob("*.pt"))
    (small_disk / "filler").unlink()
    assert shopkeeper("train", "--no-evaluate", "--resume", "--config", tmp_path / "my.yaml").status == 0
    assert Run(run).read().status == "finished"
    fill(small_disk, leave=60_000)
    refused(shopkeeper, "export", "--config", tmp_path / "my.yaml", disk=small_disk)
    assert not (small_disk / "champion.json").exists()
    (small_disk / "filler").unlink()
    assert shopkeeper("export", "--config", tmp_path / "my.yaml").status == 0
