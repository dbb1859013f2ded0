"""Load shedding: refuses requests that would wait too long. A quick 503 is better than a late list."""

from __future__ import annotations

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from serving.http.problems import Problem

MAX_IN_FLIGHT: Final = 64
"""Lists and other requests that one server process handles at once. At 5 ms each, the last one waits a third
of a second."""

MAX_EVENTS_IN_FLIGHT: Final = 256
"""Posts of events. They wait for the disk together: one flush stores them all."""

EVENTS_PATH: Final = "/v1/events"
"""Counted apart: events that wait for the disk, or for another program's lock, keep no list waiting."""


class LoadShedding:
    """Middleware that answers 503 with Retry-After above a number of requests in flight: of events, and of
    all others.

    Only paths below /v1/ count: health checks and metrics are always answered.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app, self._limits = app, {"events": MAX_EVENTS_IN_FLIGHT, "requests": MAX_IN_FLIGHT}
        self._in_flight = {"events": 0, "requests": 0}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/v1/"):
            await self._app(scope, receive, send)
            return
        kind = "events" if scope["path"] == EVENTS_PATH else "requests"
        if self._in_flight[kind] >= self._limits[kind]:
            detail = f"{self._in_flight[kind]} requests are in progress already: try again in a second."
            await Problem(503, detail, headers={"Retry-After": "1"}).response()(scope, receive, send)
            return
        self._in_flight[kind] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._in_flight[kind] -= 1
