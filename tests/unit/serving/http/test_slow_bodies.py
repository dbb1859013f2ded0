"""Callers that announce a body and do not send it: they hold nobody up, and are told so in the end."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

import httpx
from http_shop import Shop, on_a_port

from configs.settings.services import ServingConfig
from serving.recommend.pipeline import Pipeline
from serving.state.store import EventStore

CALLERS = 300
"""More than a lane holds."""
UNFINISHED = (
    b"POST /v1/recommend HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Content-Length: 1000\r\n\r\n{"
)


def test_unfinished_bodies_hold_nobody_up_and_get_408(pipeline: Pipeline, tmp_path: Path) -> None:
    serving = ServingConfig(body_timeout_s=0.5)
    with EventStore.open(tmp_path / "events.db") as store:
        shop = Shop(pipeline, store, serving=serving)
        with on_a_port(shop.app) as port:
            slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(CALLERS)]
            for client in slow:
                client.sendall(UNFINISHED)
            time.sleep(0.1)
            answered = httpx.post(f"http://127.0.0.1:{port}/v1/recommend", json={}, trust_env=False)
            assert answered.status_code == 200, answered.text
            for client in slow:
                with client, client.makefile("rb") as stream:
                    head, _, body = stream.read().partition(b"\r\n\r\n")  # to the end: the server hangs up
                assert head.startswith(b"HTTP/1.1 408 "), head
                assert b"application/problem+json" in head
                assert "serving.body_timeout_s" in json.loads(body)["detail"]
            metrics = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
    assert f'route="/v1/recommend",status="408"}} {CALLERS}.0' in metrics


def test_a_body_in_pieces_is_put_together(shop: Shop) -> None:
    with on_a_port(shop.app) as port, socket.create_connection(("127.0.0.1", port)) as client:
        body = b'{"num_results": 3}'
        client.sendall(UNFINISHED[:-1].replace(b"1000", str(len(body)).encode()))
        for byte in body:
            client.sendall(bytes([byte]))
            time.sleep(0.001)
        assert client.recv(12) == b"HTTP/1.1 200"


def test_a_request_without_a_body_is_not_waited_for(shop: Shop) -> None:
    with on_a_port(shop.app) as port, socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.sendall(b"POST /v1/recommend HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert client.recv(12) == b"HTTP/1.1 400"
