"""Headers that keep browsers from doing more with a response than is meant."""

from __future__ import annotations

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.http.docs_page import docs_policy

_API_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"
_SHOP_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

Header = tuple[bytes, bytes]


class ResponseHeaders:
    """Middleware that adds to every response: no guessing of content types, no address of a page (which may
    name a user) sent elsewhere, and what the page may load. The shop page is not kept by browsers, and its
    parts are asked for again, so that a new version is seen at once."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._api, self._shop, self._docs = map(_headers, (_API_POLICY, _SHOP_POLICY, docs_policy()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        added = self._docs if path == "/docs" else self._shop if path.startswith("/shop") else self._api

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), *added]
                if added is self._shop:
                    headers.append(_shop_cache(headers))
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _headers(policy: str) -> list[Header]:
    return [
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"content-security-policy", policy.encode()),
    ]


def _shop_cache(headers: list[Header]) -> Header:
    is_page = dict(headers).get(b"content-type", b"").startswith(b"text/html")
    return (b"cache-control", b"no-store" if is_page else b"no-cache")
