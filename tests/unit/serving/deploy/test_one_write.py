"""Responses leave a replica in one write, and whole, whatever their body is."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from serving.deploy.one_write import OneWriteProtocol, OneWriteTransport

WRITTEN: list[bytes] = []


class Recording(OneWriteTransport):
    """Keeps what reaches the connection."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__(Recorder(transport))  # type: ignore[arg-type]


class Recorder:
    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def __getattr__(self, name: str) -> object:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        WRITTEN.append(bytes(data))
        self._transport.write(data)


def app() -> FastAPI:
    app = FastAPI()

    @app.api_route("/whole", methods=["GET", "HEAD"])
    async def whole() -> Response:
        return PlainTextResponse("a list", headers={"connection": "close"})

    @app.get("/empty")
    async def empty() -> Response:
        return Response(status_code=204)

    @app.get("/parts")
    async def parts() -> Response:
        async def body() -> AsyncIterator[bytes]:
            await asyncio.sleep(0.01)
            yield b"first "
            await asyncio.sleep(0.01)
            yield b"second\r\n\r\n"

        return StreamingResponse(body())

    @app.post("/body")
    async def body(text: dict[str, str]) -> Response:
        return PlainTextResponse(text["a"])

    return app


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """A uvicorn server with the protocol."""
    monkeypatch.setattr("serving.deploy.one_write.OneWriteTransport", Recording)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app(), http=OneWriteProtocol, log_level="critical"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        WRITTEN.clear()
        yield listener.getsockname()
        server.should_exit = True
        thread.join()


def test_every_response_is_whole_and_a_short_one_is_one_write(address: tuple[str, int]) -> None:
    with httpx.Client(base_url="http://{}:{}".format(*address), trust_env=False) as client:
        assert client.get("/whole").text == "a list"
        assert [len(part.split(b"\r\n\r\n")) for part in WRITTEN] == [2]
        assert WRITTEN.pop().endswith(b"\r\n\r\na list")
        assert client.head("/whole").headers["content-length"] == "6"
        assert client.get("/empty").status_code == 204
        assert client.get("/parts").text == "first second\r\n\r\n"
        assert client.get("/nothing").status_code == 404
        assert client.post("/body", json={"a": "b"}, headers={"expect": "100-continue"}).text == "b"


def test_pipelined_requests_are_answered_in_order(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as caller:
        caller.sendall(
            b"GET /parts HTTP/1.1\r\nHost: a\r\n\r\n"
            b"HEAD /empty HTTP/1.1\r\nHost: a\r\n\r\n"
            b"GET /whole HTTP/1.1\r\nHost: a\r\n\r\n"
        )
        answer = b"".join(iter(lambda: caller.recv(1_000), b""))
    assert [line for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.1")] == [
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 405 Method Not Allowed",
        b"HTTP/1.1 200 OK",
    ]
    assert answer.endswith(b"a list")
