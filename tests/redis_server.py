"""A real Redis server in a process of its own, on a free port and in a folder of its own."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
import uuid
from contextlib import suppress
from pathlib import Path

import pytest

from serving.state.redis.location import RedisLocation

DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


class RedisServer:
    """Loses nothing, unless `options` say otherwise."""

    def __init__(self, folder: Path, *options: str) -> None:
        if shutil.which("redis-server") is None:
            pytest.skip("there is no redis-server here: apt-get install redis-server")
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = int(listener.getsockname()[1])
        self._options = options or DURABLE
        self.process = self._start()

    def location(self, *, allow_loss: bool = False) -> RedisLocation:
        """Of a store that nobody else uses."""
        return RedisLocation(self.url, prefix=f"test-{uuid.uuid4().hex[:8]}", allow_loss=allow_loss)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def kill(self) -> None:
        """As a power cut does, but for what the system still writes."""
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        """On the same folder."""
        self.process = self._start()

    def pause(self) -> None:
        """It keeps its connections, and answers nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def empty(self) -> None:
        """Delete everything."""
        self.command("FLUSHALL")

    def command(self, *words: str) -> str:
        """The first line of the answer to a command."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(" ".join(words).encode() + b"\r\n")
            return connection.recv(65536).decode().partition("\r\n")[0]

    def _start(self) -> subprocess.Popen[bytes]:
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        command += ["--rdbcompression", "no"]  # so that a test finds what is in its files
        command += ["--dir", str(self.folder), "--logfile", str(self.folder / "redis.log"), *self._options]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with suppress(OSError):
                if self.command("PING").startswith(("+PONG", "-NOAUTH")):
                    return process
            time.sleep(0.01)
        process.kill()
        raise AssertionError(f"redis-server did not start: {(self.folder / 'redis.log').read_text()}")
