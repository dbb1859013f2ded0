"""What belongs to a server that was killed is found and removed, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.deploy.notices import NoticeHandler, NoticeReader, logger
from serving.deploy.run_folder import VARIABLE, RunFolder, remove_abandoned

OWNER = (
    "import sys, time; from serving.deploy.run_folder import RunFolder; run = RunFolder.create()\n"
    "print(run.path, flush=True); time.sleep(60)"
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")


@pytest.fixture
def run() -> Iterator[RunFolder]:
    folder = RunFolder.create()
    yield folder
    folder.remove()


def sleeper(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "60"], env={**os.environ, VARIABLE: str(folder)})


def test_processes_of_the_folder_end_and_those_of_others_stay(run: RunFolder, tmp_path: Path) -> None:
    own, other = sleeper(run.path), sleeper(tmp_path)
    try:
        until = time.monotonic() + 5
        while (own.pid, "sleep") not in list(run.processes()):
            assert time.monotonic() < until
        run.remove()
        assert own.wait(timeout=5) == -signal.SIGKILL
        assert not run.path.exists()
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_the_next_start_removes_what_a_kill_has_left_and_spares_a_server_that_runs(run: RunFolder) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    left = Path(owner.stdout.readline().strip())
    orphan = sleeper(left)
    remove_abandoned()
    assert left.is_dir()
    assert orphan.poll() is None
    owner.kill()
    owner.communicate()
    remove_abandoned()
    assert orphan.wait(timeout=5) == -signal.SIGKILL
    assert not left.exists()
    assert run.path.is_dir()


def test_errors_of_processes_are_read_once_and_whole(tmp_path: Path) -> None:
    reader, handler = NoticeReader(tmp_path), NoticeHandler(tmp_path)
    assert reader.new() == []
    logger.addHandler(handler)
    try:
        logger.warning("not for the terminal")
        logger.error("a bundle\nwas changed")
        logger.critical("cannot start")
    finally:
        logger.removeHandler(handler)
    with (tmp_path / "notices").open("a") as file:
        file.write("ERROR half a li")
    assert [(notice.text, notice.is_critical) for notice in reader.new()] == [
        ("a bundle was changed", False),
        ("cannot start", True),
    ]
    assert reader.new() == []
