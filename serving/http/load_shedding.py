"""Refuses requests that would wait too long: a late list is worth less than an early refusal."""

from __future__ import annotations

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from serving.http.problems import Problem

MAX_WAITING: Final = 64
"""Requests that one server process holds at once; at 5 ms each the last waits a third of a second."""


class LimitRequests:
    """Answers 503 with Retry-After while the house is full. Health checks and metrics are always let in."""

    def __init__(self, app: ASGIApp, *, max_waiting: int = MAX_WAITING) -> None:
        self._app, self._max_waiting, self._inside = app, max_waiting, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/v1/"):
            await self._app(scope, receive, send)
            return
        if self._inside >= self._max_waiting:
            detail = f"{self._inside} requests are waiting already: try again in a second."
            await Problem(503, detail, headers={"Retry-After": "1"}).response()(scope, receive, send)
            return
        self._inside += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._inside -= 1
