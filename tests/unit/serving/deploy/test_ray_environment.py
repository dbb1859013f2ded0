"""The script that Ray runs as HAProxy, with the real HAProxy."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from serving.deploy.ray_environment import write_haproxy_starter

PARENT = (
    "import subprocess, sys, time; subprocess.Popen([sys.argv[1], '-db', '-f', sys.argv[2]]); time.sleep(60)"
)


def answers(address: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) == 0


def wait_until(answering: bool, *, port: int) -> None:
    until = time.monotonic() + 15
    while answers("127.0.0.1", port) is not answering:
        assert time.monotonic() < until
        time.sleep(0.05)


def test_haproxy_listens_on_loopback_and_does_not_outlive_its_parent(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    config = tmp_path / "haproxy.cfg"
    timeouts = "    timeout connect 1s\n    timeout client 1s\n    timeout server 1s\n"
    config.write_text(
        f"defaults\n    mode http\n{timeouts}"
        f"frontend pages\n    bind :{port}\n    http-request return status 200\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(write_haproxy_starter(tmp_path, max_wait_ms=200)), str(config)]
    )
    try:
        wait_until(True, port=port)
        assert f"bind 127.0.0.1:{port}\n" in config.read_text()
        assert not answers("127.0.0.2", port), "no other address than the one it is bound to"
    finally:
        with contextlib.suppress(ProcessLookupError):
            parent.send_signal(signal.SIGKILL)
        parent.wait()
    wait_until(False, port=port)
