"""On a full disk an event is refused (with a 503 in the API), and events accepted before stay. A read-only
one is refused at the start."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hand_made_bundle import write_bundle

from configs.exceptions import ServingError
from configs.load import load_config
from serving.deploy.server import start
from serving.state.event_log import Event
from serving.state.store import EventStore


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"mounting a small file system is not permitted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def view(name: str, *, text: str = "") -> Event:
    return Event(name, 0, "view_item", 1, user_id="ann", item_id="apple", review_text=text)


def test_on_a_full_disk_an_event_fails_and_earlier_ones_stay(small_disk: Path) -> None:
    """And when there is room again, the same open store takes events again."""
    path = small_disk / "events.db"
    with EventStore.open(path) as store:
        assert store.append_now([view("before")], received_at=1).accepted == 1
        with (small_disk / "filler").open("wb") as file:
            file.write(b"x" * (shutil.disk_usage(small_disk).free - 8192))
            os.fsync(file.fileno())
        with pytest.raises(ServingError, match=r"events\.db.*full.*check that the disk has room"):
            store.append_now([view("too much", text="x" * 500_000)], received_at=2)
        assert store.write_trouble() == "the event log's disk is full"
        (small_disk / "filler").unlink()
        assert store.append_now([view("after")], received_at=3).accepted == 1
        assert store.write_trouble() is None
    with EventStore.open(path) as store:
        assert (
            store.append_now([view("before"), view("too much"), view("after")], received_at=4).duplicates == 2
        )


def remount(disk: Path, access: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{access}", str(disk)], check=True)


def test_a_read_only_workspace_is_refused_at_the_start(small_disk: Path, tmp_path: Path) -> None:
    path = small_disk / "events.db"
    with EventStore.open(path) as store:
        store.append_now([view("before")], received_at=1)
    remount(small_disk, "ro")
    with pytest.raises(ServingError, match=r"is read-only, and events are written there.*--out"):
        EventStore.open(path)
    with pytest.raises(ServingError, match=r"is read-only"):
        start(load_config(workspace=small_disk), write_bundle(tmp_path / "bundle"))
    remount(small_disk, "rw")


def test_a_disk_that_becomes_read_only_is_noticed(small_disk: Path) -> None:
    """Linux refuses to remount while the file is open for writing, as a failing disk does not: the mount is
    put on top of itself, read-only."""
    with EventStore.open(small_disk / "events.db") as store:
        subprocess.run(["mount", "--bind", str(small_disk), str(small_disk)], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", str(small_disk)], check=True)
        try:
            assert store.write_trouble() == "the event log is read-only"
        finally:
            subprocess.run(["umount", str(small_disk)], check=True)
        assert store.write_trouble() is None
