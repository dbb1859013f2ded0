"""While there are no keys: programs on this machine are answered, and in a browser the server's own pages
alone."""

from __future__ import annotations

import ipaddress
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.http.problems import Problem

_OWN_NAMES: Final = ("127.0.0.1", "localhost", "::1")


class OwnMachineOnly:
    """Refuses with 403 peers from elsewhere, foreign names (DNS rebinding) and what another site's page posts
    (CSRF).

    The server listens on loopback alone; the check of the peer is for the day that somebody lets more in.
    """

    def __init__(self, app: ASGIApp, *, host: str) -> None:
        self._app = app
        self._names = {*_OWN_NAMES, host.lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        app = Problem(403, refusal).response() if refusal else self._app
        await app(scope, receive, send)

    def _refusal(self, scope: Scope) -> str | None:
        if not _is_loopback(scope.get("client")):
            return "This server has no keys, so it answers programs on its own machine alone."
        headers = Headers(scope=scope)
        host = headers.get("host", "").lower()
        if _name(host) not in self._names:
            return f"This server has no keys, so it is called by its own name alone: {', '.join(sorted(self._names))}."
        origin = headers.get("origin")
        if scope["method"] == "POST" and origin is not None and origin.lower().partition("://")[2] != host:
            return "This server has no keys, so a browser may post from its own pages alone, not from another site's."
        return None


def _name(host: str) -> str:
    """The name in `name:port`; an IPv6 address stands in brackets."""
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]


def _is_loopback(client: Any) -> bool:
    try:
        return bool(client) and ipaddress.ip_address(client[0]).is_loopback
    except ValueError:
        return False
