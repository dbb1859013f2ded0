"""The real server in processes of its own: started by the command line, with every process by its role."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Self

import httpx

from benchmarks.folders import ROOT
from serving.deploy.ports import free_ports
from serving.state.store import STORE_FILE

START_SECONDS: Final = 120
STOP_SECONDS: Final = 60

_ROLES: Final = (
    (r"^ray::ServeReplica", "replica"),
    (r"^ray::(\w+)", r"\1"),
    (r"^/bin/sh .*haproxy", "shell beside HAProxy"),
    (r"^\S*/haproxy ", "HAProxy"),
    (r"^\S*/gcs_server ", "gcs_server"),
    (r"^\S*/raylet ", "raylet"),
    (r"[\w-]+/([\w-]+)\.py\b", r"\1"),
    (r"^(?:\S*/)?(\S+)", r"\1"),
)
"""Pattern of a command line → what the process does"""


class LiveServer:
    """`shopkeeper serve` on a free port. Open it with `with`; `start` starts it anew."""

    def __init__(self, workspace: Path, bundle: Path | None, *, replicas: int = 1) -> None:
        """Without a bundle it serves the workspace's champion."""
        self.workspace, self.port = workspace, free_ports(1)[0]
        settings = (f"serving.port={self.port}", f"serving.num_replicas={replicas}")
        self._command = [sys.executable, "-m", "scripts.cli", "serve", "--out", str(workspace)]
        self._command += [] if bundle is None else ["--bundle", str(bundle)]
        self._command += [word for one in settings for word in ("--set", one)]
        self._process: subprocess.Popen[bytes] | None = None
        self._seen: dict[int, str] = {}
        """Process id → when it started: every process of ours that there ever was"""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def log(self) -> Path:
        """What it prints."""
        return self.workspace / "serve.log"

    @property
    def is_running(self) -> bool:
        """Whether the command has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> float:
        """Start it, and return the seconds until it answers. Raises RuntimeError."""
        self.workspace.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        while time.monotonic() < began + START_SECONDS and self.is_running:
            if self.get("/readyz").get("status") == "ready":
                self.processes()
                return time.monotonic() - began
            time.sleep(0.2)
        end = self.log.read_text(encoding="utf-8", errors="replace")[-2_000:]
        self.stop()
        raise RuntimeError(f"the server did not start:\n{end}")

    def stop(self) -> None:
        """SIGTERM; what is left after a minute, or was left by a killed parent, is killed."""
        self.processes()
        if self._process is not None and self.is_running:
            self._process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
        for pid in self.left():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGCONT)
                os.kill(pid, signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
        self._seen.clear()

    def metric(self, name: str) -> float:
        """One of `/metrics`, without labels; NaN where there is no answer."""
        try:
            text = httpx.get(f"http://127.0.0.1:{self.port}/metrics", timeout=5, trust_env=False).text
            return float(text.partition(f"\n{name} ")[2].split()[0])
        except (httpx.HTTPError, IndexError):
            return float("nan")

    def get(self, path: str) -> dict[str, Any]:
        """The JSON of an answer; nothing where there is none."""
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=5, trust_env=False)
            return dict(answer.json())
        except (httpx.HTTPError, ValueError):
            return {}

    def items(self) -> list[str]:
        """Some ids of the catalogue."""
        return [item["item_id"] for item in self.get("/v1/items?limit=200").get("items", ())]

    def processes(self) -> dict[str, list[int]]:
        """Role → process ids. `serve` is the command itself; what has no role of its own goes by its name."""
        found: dict[str, list[int]] = {}
        root = self._process.pid if self._process else 0
        parents = _parents()
        for pid in parents:
            above, known = pid, pid in self._seen
            while above in parents and above != root:
                above = parents[above]
            if above != root and not known:
                continue
            if (born := _born(pid)) is not None and self._seen.setdefault(pid, born) == born:
                found.setdefault("serve" if pid == root else _role(pid), []).append(pid)
        return found

    def left(self) -> list[int]:
        """The processes of ours that still run, whoever their parent is now."""
        return [pid for pid, born in self._seen.items() if _born(pid) == born]

    def rss(self, pids: Iterable[int]) -> float:
        """Resident memory in MB."""
        total = 0
        for pid in pids:
            with contextlib.suppress(OSError):
                pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
                total += int(pages) * os.sysconf("SC_PAGE_SIZE")
        return total / 1e6

    def port_is_free(self) -> bool:
        """Whether nobody listens on it."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) != 0

    def stored(self) -> Counter[str]:
        """Event id → how many rows of the log have it."""
        connection = sqlite3.connect(self.workspace / STORE_FILE)
        try:
            return Counter(row[0] for row in connection.execute("SELECT event_id FROM events"))
        finally:
            connection.close()


def _parents() -> dict[int, int]:
    """Process → its parent."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        fields = _stat(int(place.name))
        if fields:
            found[int(place.name)] = int(fields[1])
    return found


def _born(pid: int) -> str | None:
    """When a process started, in ticks: tells it from a later one of the same id. None where it ended."""
    fields = _stat(pid)
    return fields[19] if fields and fields[0] != "Z" else None


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name; none where there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return []


def _role(pid: int) -> str:
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return "gone"
    for pattern, role in _ROLES:
        if match := re.search(pattern, line):
            return match.expand(role)
    return "gone"
