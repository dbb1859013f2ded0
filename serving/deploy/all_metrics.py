"""`GET /metrics` of a server: those of every replica, whichever replica is asked, told apart by a label.

Prometheus reaches one replica by chance, and the counters of two are not one counter. So the replica that is
asked reads the others' metrics from their sockets, at a scrape and never otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import httpx
from prometheus_client import CONTENT_TYPE_LATEST, Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

PATH: Final = "/metrics"
REPLICA: Final = "replica"
"""The label"""
_OWN: Final = b"x-own-metrics"
"""The header of a replica that asks another: it wants that one's alone"""
_SECONDS: Final = 2.0
"""How long the others may take; one that takes longer, such as one that hangs, is left out."""

_Headers = list[tuple[bytes, bytes]]


class AllMetrics:
    """Middleware that answers `GET /metrics` for all replicas whose sockets lie in a folder."""

    def __init__(self, app: ASGIApp, *, sockets: Path, replica: str) -> None:
        self._app, self._sockets, self._replica = app, sockets, replica

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_scrape = scope["type"] == "http" and scope["path"] == PATH and scope["method"] == "GET"
        if not is_scrape or any(name == _OWN for name, _ in scope["headers"]):
            await self._app(scope, receive, send)
            return
        headers = [*scope["headers"], (_OWN, b"1")]
        others = [path for path in sorted(self._sockets.glob("*.sock")) if path.stem != self._replica]
        own = await _get(httpx.ASGITransport(self._app), headers)
        if own.status_code != 200:  # whoever may not see them is refused as ever
            await Response(own.content, own.status_code, dict(own.headers))(scope, receive, send)
            return
        found = await asyncio.gather(*[_text_of(path, headers) for path in others])
        answered = {path.stem: text for path, text in zip(others, found, strict=True) if text is not None}
        content = generate_latest(_Merged({self._replica: own.text, **answered}))
        await Response(content, media_type=CONTENT_TYPE_LATEST)(scope, receive, send)


async def _text_of(socket: Path, headers: _Headers) -> str | None:
    """What a replica says; None for one that is gone, hangs or refuses."""
    try:
        response = await _get(httpx.AsyncHTTPTransport(uds=str(socket)), headers)
    except httpx.HTTPError:
        return None
    return response.text if response.status_code == 200 else None


async def _get(transport: httpx.AsyncBaseTransport, headers: _Headers) -> httpx.Response:
    async with httpx.AsyncClient(transport=transport, timeout=_SECONDS) as client:
        return await client.get(f"http://replica{PATH}", headers=headers)


class _Merged:
    """The families of several replicas as one of each name; every sample says whose it is."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def collect(self) -> Iterable[Metric]:
        merged: dict[str, Metric] = {}
        for replica, text in self._texts.items():
            for family in text_string_to_metric_families(text):
                kept = merged.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                kept.samples += [
                    sample._replace(labels={**sample.labels, REPLICA: replica}) for sample in family.samples
                ]
        return merged.values()
