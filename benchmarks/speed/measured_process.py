"""Runs a benchmark runner as a process of its own, repeats its progress lines, and measures its peak
memory."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

SECONDS_BETWEEN_SAMPLES = 0.25


class RunnerFailedError(Exception):
    """A runner ended with an error; the message is the end of its output."""


def run_measured(
    command: Sequence[str | Path], *, name: str, log_file: Path, threads: int, log: Callable[[str], None]
) -> float:
    """Peak resident memory of the process and its descendants, in GB. Raises RunnerFailedError.

    Output lines that start with `name: ` go to `log`; all lines go to `log_file`.
    """
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "PYTHONUNBUFFERED": "1",
    }
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        memory = _Memory(process.pid)
        memory.start()
        try:
            _repeat(process, name=name, log_file=log_file, log=log)
        except BaseException:
            process.kill()
            raise
        finally:
            process.wait()
            memory.stop()
    if process.returncode:
        last = log_file.read_text(encoding="utf-8").strip().splitlines()[-8:]
        raise RunnerFailedError(f"exit status {process.returncode}: " + " | ".join(last)[-600:])
    return memory.peak / 1e9


def _repeat(process: subprocess.Popen[str], *, name: str, log_file: Path, log: Callable[[str], None]) -> None:
    assert process.stdout is not None
    with log_file.open("w", encoding="utf-8") as file:
        for line in process.stdout:
            file.write(line)
            if line.startswith(f"{name}: "):
                log(line.rstrip())


class _Memory(threading.Thread):
    """Samples the resident memory of a process and its descendants, and keeps the largest sum."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid, self._over = pid, threading.Event()
        self.peak = 0

    def run(self) -> None:
        while not self._over.wait(SECONDS_BETWEEN_SAMPLES):
            self.peak = max(self.peak, resident_bytes(self._pid))

    def stop(self) -> None:
        self._over.set()
        self.join()


def resident_bytes(pid: int) -> int:
    """Resident bytes of a process and its descendants; 0 where there is no /proc."""
    pages, parents = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # the process has just ended
        parents[int(folder.name)], pages[int(folder.name)] = int(fields[1]), int(fields[21])
    family = {pid}
    while grown := {child for child, parent in parents.items() if parent in family} - family:
        family |= grown
    return sum(pages.get(member, 0) for member in family) * os.sysconf("SC_PAGE_SIZE")
