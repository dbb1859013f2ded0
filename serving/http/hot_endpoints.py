"""`POST` to recommend, page, rank and events as plain ASGI: FastAPI would cost as much as their work does.

A list is made in the event loop itself: HAProxy queues what comes meanwhile (`haproxy_backends`), and a
thread beside the loop would only take turns with it for the interpreter's lock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Final

from pydantic import TypeAdapter
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.http.callers import caller_for, caller_of, refuse_trace
from serving.http.problems import response_to
from serving.http.prometheus import RequestMetrics
from serving.http.request_body import parse_events_body
from serving.http.request_events import Recording
from serving.http.schemas import (
    PERSONAL_HEADERS,
    EventsResponse,
    PageRequest,
    PageResponse,
    RankRequest,
    RankResponse,
    RecommendRequest,
    RecommendResponse,
    RecordedEvents,
)
from serving.http.service import Service

_list_as_json: Final = TypeAdapter(RecommendResponse).dump_json
_page_as_json: Final = TypeAdapter(PageResponse).dump_json
_order_as_json: Final = TypeAdapter(RankResponse).dump_json
_recorded_as_json: Final = TypeAdapter(EventsResponse).dump_json
_HEADERS: Final = [
    (b"content-type", b"application/json"),
    *((name.lower().encode(), value.encode()) for name, value in PERSONAL_HEADERS.items()),
]


class HotEndpoints:
    """Answers lists and events, and gives everything else to the app behind it: other paths, methods and
    query parameters."""

    def __init__(self, app: ASGIApp, service: Service, metrics: RequestMetrics) -> None:
        self._app, self._service, self._metrics = app, service, metrics
        answers: dict[str, Callable[[Scope, bytes], Awaitable[bytes]]] = {
            "/v1/recommend": self._recommend,
            "/v1/page": self._page,
            "/v1/rank": self._rank,
            "/v1/events": self._record,
        }
        # what the metrics call them by, as they do Starlette's routes
        self._endpoints = {path: (SimpleNamespace(path=path), answer) for path, answer in answers.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._endpoints.get(scope["path"]) if scope["type"] == "http" else None
        if found is None or scope["method"] != "POST" or scope.get("query_string"):
            await self._app(scope, receive, send)
            return
        scope["route"], answer = found
        body = (await receive()).get("body", b"")  # load shedding has read all of it
        try:
            content = await answer(scope, body)
        except Exception as error:
            await response_to(error)(scope, receive, send)
            return
        headers = [*_HEADERS, (b"content-length", b"%d" % len(content))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _recommend(self, scope: Scope, body: bytes) -> bytes:
        await asyncio.sleep(0)  # what came at the same time is queued, or refused, before the work begins
        with scope["turn"]:
            wanted = RecommendRequest.model_validate_json(body)
            caller = caller_for(scope, wanted)
            refuse_trace(caller, wanted)
            recording = self._service.recorder.recording(wanted)
            found = self._service.recommend(wanted, recording, columns=caller.columns)
            self._count(wanted.surface, found)
            if recording is None:
                return _list_as_json(found)
        found.recorded = await self._store(recording)
        return _list_as_json(found)

    async def _page(self, scope: Scope, body: bytes) -> bytes:
        await asyncio.sleep(0)
        with scope["turn"]:
            wanted = PageRequest.model_validate_json(body)
            caller = caller_for(scope, wanted)
            refuse_trace(caller, *wanted.slots)
            recording = self._service.recorder.recording(wanted)
            found = self._service.page(wanted, recording, columns=caller.columns)
            for place, answer in zip(found.order, found.slots, strict=True):
                self._count(wanted.slots[place].surface, answer)
            if recording is None:
                return _page_as_json(found)
        found.recorded = await self._store(recording)
        return _page_as_json(found)

    async def _rank(self, scope: Scope, body: bytes) -> bytes:
        await asyncio.sleep(0)
        with scope["turn"]:
            wanted = RankRequest.model_validate_json(body)
            caller_for(scope, wanted)
            return _order_as_json(self._service.rank(wanted))

    def _count(self, surface: str, found: RecommendResponse) -> None:
        if found.validated:
            return
        self._metrics.count_list(
            surface,
            fallback=found.fallback_used is not None,
            short=found.shortfall_reason is not None,
            empty=not found.items,
            unknown=len(found.unknown_item_ids),
        )

    async def _store(self, recording: Recording) -> RecordedEvents:
        """Store what a request for a list has recorded, when its turn is over: others need not wait for the
        disk."""
        recorded = await self._service.recorder.store(recording)
        self._metrics.count_events(accepted=recorded.accepted, duplicates=recorded.duplicates, rejected=0)
        return recorded

    async def _record(self, scope: Scope, body: bytes) -> bytes:
        events, token = parse_events_body(body)
        recorded = await self._service.recorder.record(events, only=caller_of(scope).named_user(token))
        self._metrics.count_events(
            accepted=recorded.accepted, duplicates=recorded.duplicates, rejected=len(recorded.rejected)
        )
        return _recorded_as_json(recorded)
