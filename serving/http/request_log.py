"""A request id for every request, and log lines for those that fail or are slow."""

from __future__ import annotations

import logging
import re
import time
import uuid
from contextvars import ContextVar
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger("shopkeeper.http")

REQUEST_ID: Final[ContextVar[str | None]] = ContextVar("request_id", default=None)
"""The id of the request that is answered in this task."""

_HEADER: Final = b"x-request-id"
_SANE: Final = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
_SLOW_LINES_PER_SECOND: Final = 1


def where_logged() -> str:
    """Where an error of this request is explained, for the caller."""
    where = "the server's log (`serving.log_file`, which is logs/serve.jsonl in the workspace by default)"
    request_id = REQUEST_ID.get()
    return where if request_id is None else f"{where} for the request {request_id}"


class RequestLog:
    """Middleware that takes the caller's `X-Request-ID`, or makes one, and returns it in the response.

    It logs answers 500 and above, other than 503, which load shedding gives by the thousand, and at most one
    slow request a second. A path stands in the log only with `with_user_ids`: otherwise its route does.
    """

    def __init__(
        self, app: ASGIApp, *, slow_seconds: float, with_user_ids: bool, returns_id: bool = True
    ) -> None:
        """`returns_id`: the id goes into the response here. Ray Serve does that itself."""
        self._returns_id = returns_id
        self._app, self._slow_seconds, self._with_user_ids = app, slow_seconds, with_user_ids
        self._no_slow_line_before, self._slow_unlogged = 0.0, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        REQUEST_ID.set(request_id.decode("ascii"))
        status = 500
        start = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if self._returns_id:
                    message["headers"] = [*message.get("headers", ()), (_HEADER, request_id)]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - start
            if status >= 500 and status != 503:
                logger.error("request failed", extra={"fields": self._fields(scope, status, seconds)})
            elif seconds > self._slow_seconds:
                self._log_slow(scope, status, seconds)

    def _log_slow(self, scope: Scope, status: int, seconds: float) -> None:
        now = time.monotonic()
        if now < self._no_slow_line_before:
            self._slow_unlogged += 1
            return
        fields = self._fields(scope, status, seconds) | {"slow_requests_not_logged": self._slow_unlogged}
        logger.warning("slow request", extra={"fields": fields})
        self._no_slow_line_before, self._slow_unlogged = now + 1 / _SLOW_LINES_PER_SECOND, 0

    def _fields(self, scope: Scope, status: int, seconds: float) -> dict[str, object]:
        fields: dict[str, object] = {
            "method": scope["method"],
            "route": getattr(scope.get("route"), "path", None),
            "status": status,
            "milliseconds": round(1000 * seconds, 1),
        }
        return fields | ({"path": scope["path"]} if self._with_user_ids else {})


def _request_id(scope: Scope) -> bytes:
    """The caller's id, if it is short and plain; else a new one."""
    for name, value in scope["headers"]:
        if name == _HEADER and _SANE.fullmatch(value):
            return bytes(value)
    return uuid.uuid4().hex.encode("ascii")
