"""Callers that hang up: no faults of the server, and counted apart."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from typing import Any

import pytest
from http_shop import Shop, on_a_port

from serving.recommend.pipeline import Pipeline

HEAD = b"POST /v1/recommend HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
ABORTED = 'shopkeeper_requests_total{method="POST",route="/v1/recommend",status="499"} 1.0'


def wait_for(shop: Shop, line: str) -> None:
    until = time.monotonic() + 10
    while line not in shop.call("GET", "/metrics").text:
        assert time.monotonic() < until, shop.call("GET", "/metrics").text
        time.sleep(0.01)


def test_hanging_up_in_the_middle_of_a_body_is_no_error(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    with on_a_port(shop.app) as port:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(HEAD + b"Content-Length: 1000\r\n\r\n{")
            time.sleep(0.05)
        wait_for(shop, ABORTED)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert 'status="500"' not in shop.call("GET", "/metrics").text


def test_a_request_that_is_cancelled_before_its_turn_is_no_error(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    """Ray cancels a request whose caller has hung up."""

    async def hang_up() -> None:
        scope: dict[str, Any] = {
            "type": "http", "path": "/v1/recommend", "method": "POST", "query_string": b"",
            "headers": [(b"content-length", b"2")],
        }  # fmt: skip

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"{}", "more_body": False}

        async def send(message: Any) -> None:
            raise AssertionError("nobody is there")

        task = asyncio.ensure_future(shop.app(scope, receive, send))
        await asyncio.sleep(0)  # it has its place in the queue
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(hang_up())
    wait_for(shop, ABORTED)
    assert caplog.records == []
    assert 'shopkeeper_request_seconds_count{route="/v1/recommend"}' not in shop.call("GET", "/metrics").text
    shop.recommend()


def test_a_fault_of_the_server_is_still_a_500(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pipeline, "recommend", lambda *_: 1 / 0)
    shop.call("POST", "/v1/recommend", json={})
    wait_for(shop, ABORTED.replace("499", "500"))
