"""`POST /v1/recommend` as plain ASGI: a list costs about a millisecond, and FastAPI and a thread would cost as
much again.

The list is made in the event loop itself. HAProxy queues what comes meanwhile (`haproxy_queue`), and a
thread beside the loop would only take turns with it for the interpreter's lock.
"""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Final

from pydantic import TypeAdapter
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.http.problems import response_to
from serving.http.prometheus import RequestMetrics
from serving.http.schemas import PERSONAL_HEADERS, RecommendRequest, RecommendResponse
from serving.http.service import Service

PATH: Final = "/v1/recommend"
_ROUTE: Final = SimpleNamespace(path=PATH)
"""What the metrics call it by, as they do Starlette's routes"""
_serialize: Final = TypeAdapter(RecommendResponse).dump_json


class RecommendEndpoint:
    """Answers lists, and gives everything else to the app behind it: other paths, methods and query
    parameters."""

    def __init__(self, app: ASGIApp, service: Service, metrics: RequestMetrics) -> None:
        self._app, self._service, self._metrics = app, service, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_list = scope["type"] == "http" and scope["path"] == PATH and scope["method"] == "POST"
        if not is_list or scope.get("query_string"):
            await self._app(scope, receive, send)
            return
        scope["route"] = _ROUTE
        body = (await receive()).get("body", b"")  # load shedding has read all of it
        await asyncio.sleep(
            0
        )  # what came at the same time takes its place in the queue, or is refused, first
        try:
            with scope["turn"]:
                response = self._answer(body)
        except Exception as error:
            response = response_to(error)
        await response(scope, receive, send)

    def _answer(self, body: bytes) -> Response:
        wanted = RecommendRequest.model_validate_json(body)
        found = self._service.recommend(wanted)
        self._metrics.count_list(
            wanted.surface, fallback=found.fallback_used is not None, short=found.shortfall_reason is not None
        )
        return Response(_serialize(found), headers=PERSONAL_HEADERS, media_type="application/json")
