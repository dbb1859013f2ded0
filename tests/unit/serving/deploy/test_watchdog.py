"""What ends a server and what is left to Ray, with a small HTTP server and a process in their places."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from serving.deploy import watchdog as module
from serving.deploy.notices import NoticeReader
from serving.deploy.run_folder import RunFolder
from serving.deploy.watchdog import Watchdog


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing on stderr."""


@contextmanager
def http_server(port: int = 0) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", port), Healthy)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def watch(port: int, process: subprocess.Popen[bytes], folder: Path) -> Watchdog:
    return Watchdog(
        f"http://127.0.0.1:{port}", run=RunFolder(folder), process=process, notices=NoticeReader(folder)
    )


def test_a_short_silence_is_told_and_mended(
    tmp_path: Path, process: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(module, "log", told.append)
    monkeypatch.setattr(module, "_TOLD_SECONDS", 0.0)
    with http_server() as port:
        watched = watch(port, process, tmp_path)
        assert watched.failure() is None
    assert watched.failure() is None
    assert watched.failure() is None
    with http_server(port):
        assert watched.failure() is None
    assert told == [
        "No server process answers; Ray starts another one.",
        "The server answers again after 0 s.",
    ]


def test_a_long_silence_is_a_failure(
    tmp_path: Path, process: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PATIENCE_SECONDS", 0.0)
    with http_server() as port:
        watched = watch(port, process, tmp_path)
    watched.failure()
    assert watched.failure() == "No server process has answered for 0 s."


def test_a_replica_that_cannot_start_is_a_failure_only_when_no_other_answers(
    tmp_path: Path, process: subprocess.Popen[bytes]
) -> None:
    with http_server() as port:
        watched = watch(port, process, tmp_path)
        (tmp_path / "notices").write_text("CRITICAL A server process cannot start. ids.npy was changed.\n")
        assert watched.failure() is None
    with (tmp_path / "notices").open("a") as notices:
        notices.write("ERROR another bundle is served\nCRITICAL A server process cannot start. again\n")
    assert watched.failure() == "A server process cannot start. again"


def test_the_end_of_the_process_that_runs_ray_is_a_failure(
    tmp_path: Path, process: subprocess.Popen[bytes]
) -> None:
    with http_server() as port:
        watched = watch(port, process, tmp_path)
        process.kill()
        process.wait()
        assert watched.failure() == "The process that runs Ray ended with status -9."
