"""The HTTP API over the hand-made bundle and a real store: in process, or on a port of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import uvicorn
from hand_made_bundle import AS_OF
from starlette.types import ASGIApp

from configs.settings.services import ServingConfig
from features.core.columns import MICROSECONDS_PER_DAY
from serving.access.access import Access
from serving.http.app import build_app
from serving.http.bundle_status import BundleStatus
from serving.http.service import Service
from serving.recommend.pipeline import Pipeline
from serving.state.live_events import ExchangeRates
from serving.state.protocol import StateStore

NOW = AS_OF + MICROSECONDS_PER_DAY
MAX_BODY = 100_000


class Shop:
    """A client of the app."""

    def __init__(
        self,
        pipeline: Pipeline,
        store: StateStore,
        rates: ExchangeRates | None = None,
        exclude: tuple[str, ...] = (),
        serving: ServingConfig | None = None,
        access: Access | None = None,
    ) -> None:
        self.store = store
        service = Service(
            pipeline, store, max_events_kept=100, exchange_rates=rates, exclude=exclude, clock=lambda: NOW
        )
        serving = serving or ServingConfig(max_body_bytes=MAX_BODY)
        self.status = BundleStatus()
        """What `/readyz` says of bundles"""
        self.app: ASGIApp = build_app(service, serving, access=access, status=self.status)

    def call(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
                return await client.request(method, path, **arguments)

        return asyncio.run(send())

    def recommend(self, **body: Any) -> dict[str, Any]:
        response = self.call("POST", "/v1/recommend", json=body)
        assert response.status_code == 200, response.text
        return dict(response.json())

    def send(self, *events: dict[str, Any]) -> dict[str, Any]:
        response = self.call("POST", "/v1/events", json={"events": list(events)})
        assert response.status_code == 200, response.text
        return dict(response.json())


def bought(item_id: str, **more: Any) -> dict[str, Any]:
    return {"event_type": "purchase", "user_id": "ann", "item_id": item_id, **more}


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """The problem details of a response that must have them."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    details: dict[str, Any] = response.json()
    assert details["status"] == status
    assert details["title"]
    assert details["detail"]
    assert "Traceback" not in response.text
    return details


@contextlib.contextmanager
def on_a_port(app: ASGIApp, port: int = 0) -> Iterator[int]:
    """The app on a real socket of this machine, with uvicorn's defaults as under Ray; its port."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        settings = uvicorn.Config(app, log_config=None, lifespan="off", access_log=False)
        server = uvicorn.Server(settings)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started:
                time.sleep(0.005)
            yield int(listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()
