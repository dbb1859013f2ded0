"""The loopback guard: without API keys, only this machine and the server's own pages are answered."""

from __future__ import annotations

import ipaddress
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.http.problems import Problem

_LOOPBACK_NAMES: Final = ("127.0.0.1", "localhost", "::1")


class LoopbackGuard:
    """Middleware that answers 403 to peers on other machines, to foreign host names (DNS rebinding) and to
    what a page of another site posts (CSRF).

    The server listens on loopback only. The check of the peer is a second line of defence.
    """

    def __init__(self, app: ASGIApp, *, host: str) -> None:
        """`host` is the configured address (serving.host), allowed beside the names of loopback."""
        self._app = app
        self._host_names = {*_LOOPBACK_NAMES, host.lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        app = Problem(403, refusal).response() if refusal else self._app
        await app(scope, receive, send)

    def _refusal(self, scope: Scope) -> str | None:
        """Why a request is refused; None where it is allowed."""
        if not _is_loopback(scope.get("client")):
            return "This server has no API keys, so it only answers programs on its own machine."
        headers = Headers(scope=scope)
        host = headers.get("host", "").lower()
        if _host_name(host) not in self._host_names:
            names = ", ".join(sorted(self._host_names))
            return f"This server has no API keys, so the Host header must be one of {names}."
        origin = headers.get("origin")
        if scope["method"] == "POST" and origin is not None and origin.lower().partition("://")[2] != host:
            return "This server has no API keys, so pages of another site may not post to it."
        return None


def _host_name(host: str) -> str:
    """The name in `name:port`; an IPv6 address is in brackets."""
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]


def _is_loopback(client: Any) -> bool:
    try:
        return bool(client) and ipaddress.ip_address(client[0]).is_loopback
    except ValueError:
        return False
