"""`shopkeeper serve` in a process of its own, for tests of the whole server."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from serving.deploy.ports import free_ports
from serving.deploy.run_folder import RunFolder

SERVE = """
import sys
from pathlib import Path
from scripts.cli import main
from serving.deploy import server

original = server.RunFolder.create
def create():
    run = original()
    print(run.path, flush=True)
    return run
server.RunFolder.create = create
main()
"""


class Shop:
    """`shopkeeper serve` in a process of its own, and all that it prints."""

    def __init__(self, workspace: Path, *settings: str) -> None:
        (self.port,) = free_ports(1)
        options = [part for setting in (f"serving.port={self.port}", *settings) for part in ("-s", setting)]
        elsewhere = workspace.parent / "with a package of that name"
        (elsewhere / "serving").mkdir(parents=True, exist_ok=True)
        (elsewhere / "serving" / "__init__.py").write_text("raise SystemExit('not ours')")
        command = [sys.executable, "-P", "-c", SERVE, "serve", "--out", str(workspace), *options]
        self.process = subprocess.Popen(
            command,
            cwd=elsewhere,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
        )
        self.printed: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.wait_for(lambda: any(line.startswith("/tmp/shopkeeper-") for line in self.printed))
        folder = next(line for line in self.printed if line.startswith("/tmp/shopkeeper-"))
        self.run = RunFolder(Path(folder.strip()))

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.printed.extend(iter(self.process.stdout.readline, ""))

    def says(self, words: str) -> bool:
        return words in " ".join(" ".join(self.printed).split())

    def wait_for(self, condition: Callable[[], object], *, seconds: float = 60) -> None:
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, "".join(self.printed)
            time.sleep(0.05)

    def processes(self, program: str = "") -> list[int]:
        return [number for number, name in self.run.processes() if name.startswith(program)]

    def get(self, path: str) -> httpx.Response | None:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=5, trust_env=False)
        except httpx.HTTPError:
            return None

    def is_ready(self) -> bool:
        answer = self.get("/readyz")
        return answer is not None and answer.status_code == 200

    def assert_nothing_is_left(self) -> None:
        self.wait_for(lambda: not self.processes() and not self.run.path.exists(), seconds=10)
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", self.port)) != 0

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.run.remove()
