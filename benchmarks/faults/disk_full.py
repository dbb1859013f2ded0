"""The disk of the event log is full, and has room again."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.faults.played import Played
from benchmarks.faults.shop import STEADY_SECONDS, Shop, audit, played
from benchmarks.faults.traffic import EVENTS, LISTS, Traffic

DISK: Final = "size=48m"
FULL_SECONDS: Final = 10.0
FAULT: Final = "disk full for 10 s"
EXPECTED: Final = (
    "lists go on; events are refused with 503, and accepted when there is room; /readyz says why; every "
    "acknowledged event is in the log once"
)


def play(shop: Shop) -> Iterator[Played]:
    """One row; a row that says so where a small file system cannot be mounted."""
    with _small_disk(shop.folder / "disk") as mounted:
        if not mounted:
            yield Played(FAULT, EXPECTED, "not played: mounting a tmpfs is not permitted here", held=False)
            return
        with shop.server("disk") as server, Traffic(server.port, name="full") as traffic:
            time.sleep(STEADY_SECONDS)
            began = time.monotonic()
            filler = _fill(server.workspace)
            time.sleep(FULL_SECONDS)
            ready = server.get("/readyz")
            full = traffic.failed(began, path=EVENTS)
            lists = traffic.failed(began, path=LISTS)
            filler.unlink()
            freed = time.monotonic()
            recovered = traffic.wait_until_answered(freed, seconds=shop.limit)
            traffic.stop()
            log_says = audit(server, traffic)
            yield played(
                FAULT,
                expected=EXPECTED,
                held=log_says.is_clean
                and not lists
                and bool(full)
                and {one.kind for one in full} == {"503"}
                and ready.get("events") == "refused"
                and recovered is not None,
                traffic=traffic,
                since=began,
                happened=f"/readyz: {ready.get('reason') or ready or 'no answer'}; {log_says}",
                recovered_after=recovered,
            )


@contextmanager
def _small_disk(folder: Path) -> Iterator[bool]:
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", DISK, "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _fill(folder: Path) -> Path:
    """Take all room, and go on until nothing is left."""
    filler = folder / "filler"
    with filler.open("wb") as file:
        try:
            file.write(b"x" * shutil.disk_usage(folder).free)
            while True:
                file.write(b"x" * 4096)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            pass
    return filler
