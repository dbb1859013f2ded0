"""The key guard: where the workspace has API keys, every request but a few needs one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Receive, Scope, Send

from configs.settings.services import ServingConfig
from serving.access.access import Access
from serving.access.api_keys import ApiKey
from serving.access.caller import EVERYTHING, Caller
from serving.access.token_bucket import TokenBucket
from serving.http.problems import Problem
from serving.http.request_log import where_logged

KEY_HEADER: Final = "X-API-Key"

PIXEL_PATH: Final = "/v1/events/collect"
KEY_PARAMETER: Final = "api_key"
"""A public key in the address of a pixel, which sends no headers of its own."""

SECURITY_SCHEMES: Final[Mapping[str, Any]] = {
    "ApiKey": {
        "type": "apiKey",
        "in": "header",
        "name": KEY_HEADER,
        "description": "Made by `shopkeeper keys create`. Without keys a server answers its own machine.",
    }
}
SECURITY: Final[list[dict[str, list[str]]]] = [{"ApiKey": []}, {}]
"""Of every endpoint: with a key, or without one where the server has none."""

WITHOUT_KEY: Final[dict[str, Any]] = {"security": []}
"""For `openapi_extra` of what everybody may call."""

FOR_PUBLIC_KEYS: Final = {
    ("POST", "/v1/recommend"),
    ("POST", "/v1/page"),
    ("POST", "/v1/rank"),
    ("POST", "/v1/events"),
    ("GET", PIXEL_PATH),
}
_WITHOUT_DATA: Final = ("/", "/healthz", "/readyz", "/docs", "/openapi.json", "/shop")
"""Paths for everybody: whether the server answers, and what it is. So are the files below /shop/."""

_HEADER: Final = KEY_HEADER.lower().encode()
_CHALLENGE: Final = {"WWW-Authenticate": f'ApiKey realm="shopkeeper", header="{KEY_HEADER}"'}
_PUBLIC_POSTS: Final = ", ".join(path for method, path in sorted(FOR_PUBLIC_KEYS) if method == "POST")


class KeyGuard:
    """Middleware that lets a request through by its key, as `scope["caller"]`, or answers 401, 403 or 429.

    It stands before what reads bodies: who has no key costs a hash and a look into a table.
    """

    def __init__(self, app: ASGIApp, serving: ServingConfig, access: Access) -> None:
        self._app, self._keys = app, access.keys
        public = Caller(columns=frozenset(serving.public_columns), tokens=access.tokens)
        self._callers = {"private": EVERYTHING, "public": public}
        limits = {"private": serving.private_requests_per_s, "public": serving.public_requests_per_s}
        self._shares = {kind: limit / serving.replicas for kind, limit in limits.items() if limit is not None}
        self._buckets: dict[str, TokenBucket] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._keys.is_required:
            try:
                is_open = self._is_open(scope["path"])
                scope["caller"] = self._known(scope) if is_open else self._admit(scope)
            except Problem as problem:
                await problem.response()(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _is_open(self, path: str) -> bool:
        """Whether everybody may read what is there. While the keys are lost, that is whether it lives."""
        is_open = path in _WITHOUT_DATA or path.startswith("/shop/")
        return is_open and (self._keys.trouble is None or path == "/healthz")

    def _known(self, scope: Scope) -> Caller:
        """Of what is open: who sends a private key may see more of it."""
        sent = next((value for name, value in scope["headers"] if name == _HEADER), None)
        key = None if sent is None or self._keys.trouble is not None else self._keys.find(sent)
        return self._callers["public" if key is None else key.kind]

    def _admit(self, scope: Scope) -> Caller:
        """Raises Problem."""
        if (trouble := self._keys.trouble) is not None:
            raise Problem(503, f"{trouble} See {where_logged()}.", headers={"Retry-After": "5"})
        sent = next((value for name, value in scope["headers"] if name == _HEADER), None)
        is_in_url = sent is None and scope["path"] == PIXEL_PATH
        if is_in_url:
            sent = _key_of_pixel(scope)
        if sent is None:
            raise Problem(401, f"Send an API key in the header {KEY_HEADER}.", headers=_CHALLENGE)
        key = self._keys.find(sent)
        if key is None:
            detail = f"This API key ({KEY_HEADER}) is unknown: it was never made here, or revoked."
            raise Problem(401, detail, headers=_CHALLENGE)
        if is_in_url and key.kind == "private":
            detail = (
                f"A private key does not belong in an address: revoke it, and send another in {KEY_HEADER}."
            )
            raise Problem(403, detail)
        if key.kind == "public" and (scope["method"], scope["path"]) not in FOR_PUBLIC_KEYS:
            detail = (
                f"This is a public key: it may post to {_PUBLIC_POSTS} and get {PIXEL_PATH}. All else needs "
                "a private key."
            )
            raise Problem(403, detail)
        self._count(key)
        return self._callers[key.kind]

    def _count(self, key: ApiKey) -> None:
        """Raises Problem 429 where the key has called too often."""
        share = self._shares.get(key.kind)
        if share is None:
            return
        bucket = self._buckets.get(key.id) or self._buckets.setdefault(key.id, TokenBucket(per_second=share))
        if wait_s := bucket.wait_s():
            detail = (
                f"This key sends more requests than serving.{key.kind}_requests_per_s allows. Come back in "
                f"{math.ceil(wait_s)} s."
            )
            raise Problem(429, detail, headers={"Retry-After": str(math.ceil(wait_s))})


def _key_of_pixel(scope: Scope) -> bytes | None:
    values = parse_qs(scope.get("query_string", b"")).get(KEY_PARAMETER.encode(), ())
    return values[0] if values else None
