"""Load shedding: refuses requests that would wait too long. A quick 503 is better than a late list."""

from __future__ import annotations

from typing import Final

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from configs.settings.services import ServingConfig
from serving.http.problems import Problem
from serving.http.request_body import read_body, with_body

MAX_IN_FLIGHT: Final = 64
"""Requests that one server process handles at once. At 5 ms each, the last one waits a third of a second."""


class LoadShedding:
    """Reads the body of a request, and answers 503 with Retry-After above a number of requests in flight.

    A request is in flight from when its body is complete, so that slow callers take nobody's place. Only
    paths below /v1/ count: health checks and metrics are always answered.
    """

    def __init__(self, app: ASGIApp, *, serving: ServingConfig, max_in_flight: int = MAX_IN_FLIGHT) -> None:
        self._app, self._serving = app, serving
        self._max_in_flight, self._in_flight = max_in_flight, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/v1/"):
            await self._app(scope, receive, send)
            return
        try:
            self._refuse_overload()
            body = await read_body(
                scope,
                receive,
                max_bytes=self._serving.max_body_bytes,
                timeout_s=self._serving.body_timeout_s,
            )
            self._refuse_overload()
        except Problem as problem:
            await problem.response()(scope, receive, send)
            return
        except ClientDisconnect:
            return
        self._in_flight += 1
        try:
            await self._app(scope, with_body(body, receive), send)
        finally:
            self._in_flight -= 1

    def _refuse_overload(self) -> None:
        if self._in_flight >= self._max_in_flight:
            detail = f"{self._in_flight} requests are in progress already: try again in a second."
            raise Problem(503, detail, headers={"Retry-After": "1"})
