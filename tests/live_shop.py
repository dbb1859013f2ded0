"""A server over the hand-made bundle and a real store, which can be stopped and started again at the same
address."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import uvicorn
from chromium import until
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from configs.settings.services import ServingConfig
from serving.access.access import Access
from serving.deploy.ports import free_ports
from serving.http.app import build_app
from serving.http.service import Service
from serving.recommend.pipeline import Pipeline
from serving.state.event_log import Event
from serving.state.store import EventStore


class LiveShop:
    """The server, what it was sent, and what it stored."""

    def __init__(
        self,
        pipeline: Pipeline,
        store: EventStore,
        *,
        cors_origins: Sequence[str] = (),
        access: Access | None = None,
    ) -> None:
        self.store = store
        self.service = Service(pipeline, store, max_events_kept=100)
        self.service.warm_up()
        serving = ServingConfig(max_body_bytes=100_000, cors_origins=tuple(cors_origins))
        self.gate = Gate(build_app(self.service, serving, access=access))
        (self._port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self._port}"
        self.address = f"{self.url}/shop/"

    async def record(self, event: dict[str, object]) -> None:
        """An event that another page sends."""
        assert (await self.service.recorder.record([event])).accepted == 1

    def start(self) -> None:
        config = uvicorn.Config(
            self.gate, port=self._port, log_level="warning", ws="none", timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        until(lambda: self._server.started)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()

    def stored(self, who: str, event_type: str) -> list[Event]:
        """The latest item events of this type, newest first."""
        return [event for event in self.store.latest_events(who, limit=100) if event.event_type == event_type]

    def rows(self, event_type: str) -> list[dict[str, Any]]:
        """All rows of this type in the log, oldest first."""
        with closing(sqlite3.connect(f"file:{self.store.path}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            found = connection.execute(
                "SELECT * FROM events WHERE event_type = ? ORDER BY number", (event_type,)
            )
            return [dict(row) for row in found]


class Gate:
    """Stands before the app: keeps what is posted to it, and refuses events when it is told to."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.posted: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        """Path, body and headers of each."""
        self.refusals: list[tuple[int, dict[str, str]]] = []
        """Status and headers of the answers to the next requests with events."""

    def bodies(self, path: str) -> list[dict[str, Any]]:
        return [body for posted_to, body, _ in self.posted if posted_to == path]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        body = await _whole_body(receive)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.posted.append((scope["path"], json.loads(body), headers))
        app = self._app
        if scope["path"] == "/v1/events" and self.refusals:
            status, refused = self.refusals.pop(0)
            origin = headers.get("origin", "*")
            refused = {
                "Access-Control-Allow-Origin": origin,
                "Access-Control-Expose-Headers": "Retry-After",
            } | refused
            app = JSONResponse({"status": status, "detail": "not now", "errors": []}, status, refused)
        await app(scope, _again(body, receive), send)


async def _whole_body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body


def _again(body: bytes, receive: Receive) -> Receive:
    given = False

    async def receive_again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again
