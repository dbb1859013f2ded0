"""The loopback guard: without API keys, only this machine and the server's own pages are answered."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from configs.settings.services import ServingConfig
from serving.access.key_ring import KeyRing
from serving.http.problems import Problem

_LOOPBACK_NAMES: Final = ("127.0.0.1", "localhost", "::1")
_SAFE_METHODS: Final = ("GET", "HEAD")


class LoopbackGuard:
    """Middleware that answers 403 to callers on other machines, to foreign host names (DNS rebinding) and to
    what a page of another site sends (CSRF).

    The server listens on loopback only, so every peer is on this machine, and behind HAProxy every peer is
    HAProxy. The check of the caller is a second line of defence; only with `serving.trusted_proxies` it sees
    farther, to the caller that such a proxy names.
    """

    def __init__(self, app: ASGIApp, serving: ServingConfig, keys: KeyRing | None = None) -> None:
        """`keys`: where they are required, they decide in place of this guard (`KeyGuard`)."""
        self._app, self._keys = app, keys
        self._allowed_hosts = {name.lower() for name in serving.allowed_hosts}
        self._host_names = {*_LOOPBACK_NAMES, serving.host.lower(), *self._allowed_hosts}
        self._origins = frozenset(serving.cors_origins)
        self._proxies = [ipaddress.ip_network(text) for text in serving.trusted_proxies]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (self._keys is not None and self._keys.is_required):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        app = Problem(403, refusal).response() if refusal else self._app
        await app(scope, receive, send)

    def _refusal(self, scope: Scope) -> str | None:
        """Why a request is refused; None where it is allowed."""
        headers = Headers(scope=scope)
        if not _is_loopback(self._caller(scope, headers)):
            return "This server has no API keys, so it only answers programs on its own machine."
        host = headers.get("host", "").lower()
        if _host_name(host) not in self._host_names:
            names = ", ".join(sorted(self._host_names))
            return (
                f"This server has no API keys, so the Host header must be one of {names} "
                "(serving.allowed_hosts adds names)."
            )
        origin = headers.get("origin")
        if scope["method"] not in _SAFE_METHODS and origin is not None and not self._is_own(origin, host):
            return (
                "This server has no API keys, so pages of another site may not post to it "
                "(serving.cors_origins lets them)."
            )
        return None

    def _caller(self, scope: Scope, headers: Headers) -> str:
        """The address of whoever connected, or of the one that trusted proxies name as having done so. A
        Unix socket gives none: its callers are on this machine."""
        client = scope.get("client")
        caller = str(client[0]) if client else _LOOPBACK_NAMES[0]
        if not self._proxies:
            return caller
        for address in reversed(_forwarded_for(headers)):
            if not self._is_proxy(caller):
                break
            caller = address
        return caller

    def _is_proxy(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._proxies)

    def _is_own(self, origin: str, host: str) -> bool:
        """Whether a page of this server sends, under its own address or one of `serving.allowed_hosts`, or
        one of `serving.cors_origins`."""
        address = origin.lower().partition("://")[2]
        return address == host or _host_name(address) in self._allowed_hosts or origin in self._origins


def _forwarded_for(headers: Headers) -> Sequence[str]:
    """The callers that proxies saw, the nearest last."""
    values = ",".join(headers.getlist("x-forwarded-for")).split(",")
    return [value.strip() for value in values if value.strip()]


def _host_name(host: str) -> str:
    """The name in `name:port`; an IPv6 address is in brackets."""
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
