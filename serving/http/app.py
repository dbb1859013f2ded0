"""The HTTP API as a FastAPI app round a `Service`. No Ray here: a test drives it directly.

The two busy endpoints read and write JSON with pydantic's own parser and skip FastAPI's, which would check
every answer again.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.staticfiles import StaticFiles
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from pydantic_core import from_json, to_json

from configs.exceptions import ServingError
from serving.http.load_shedding import LimitRequests
from serving.http.problems import Problem, install_problem_handlers
from serving.http.prometheus import MeasureRequests, Metrics
from serving.http.schemas import (
    MAX_IDS,
    EventsRequest,
    EventsResponse,
    ProblemDetails,
    RecommendRequest,
    RecommendResponse,
)
from serving.http.service import Service
from serving.http.shop.routes import shop_routes

SHOP_FOLDER: Final = Path(__file__).parent / "shop"

_PERSONAL: Final = {"Cache-Control": "private, no-store"}
_PROBLEM: Final = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
_ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"description": "The body is not JSON", "content": _PROBLEM},
    413: {"description": "The body is too long", "content": _PROBLEM},
    422: {"description": "Something in the request is wrong; `errors` says what", "content": _PROBLEM},
    503: {"description": "Busy, or the event store cannot be used", "content": _PROBLEM},
}


def build_app(service: Service, *, max_body_bytes: int) -> FastAPI:
    """The app of one server process."""
    app = FastAPI(
        title="Shopkeeper", version="1", summary="Recommendations for a shop, and the events they learn from."
    )
    bundle = service.pipeline.bundle
    metrics = Metrics(bundle_name=bundle.name, bundle_version=bundle.version)
    app.add_middleware(LimitRequests)
    app.add_middleware(MeasureRequests, metrics=metrics)
    install_problem_handlers(app)
    _add_recommend(app, service, metrics, max_body_bytes=max_body_bytes)
    _add_events(app, service, metrics, max_body_bytes=max_body_bytes)
    _add_operations(app, service, metrics)
    app.include_router(shop_routes(service))
    if SHOP_FOLDER.is_dir():
        app.mount("/shop", StaticFiles(directory=SHOP_FOLDER, html=True), name="shop")
    _describe_bodies(app)
    return app


def _add_recommend(app: FastAPI, service: Service, metrics: Metrics, *, max_body_bytes: int) -> None:
    one_thread = ThreadPoolExecutor(
        max_workers=1, thread_name_prefix="recommend"
    )  # so that the loop stays free to refuse

    @app.post(
        "/v1/recommend",
        summary="A list for someone, somewhere on the site",
        tags=["recommend"],
        responses={200: {"model": RecommendResponse}, **_ERRORS},
        openapi_extra=_takes(RecommendRequest),
    )
    async def recommend(request: Request) -> Response:
        asked = RecommendRequest.model_validate_json(await read_body(request, max_bytes=max_body_bytes))
        answer = await asyncio.get_running_loop().run_in_executor(one_thread, service.recommend, asked)
        metrics.count_list(
            asked.surface,
            fallback=answer["fallback_used"] is not None,
            short=answer["shortfall_reason"] is not None,
        )
        return Response(to_json(answer), media_type="application/json", headers=_PERSONAL)


def _add_events(app: FastAPI, service: Service, metrics: Metrics, *, max_body_bytes: int) -> None:
    @app.post(
        "/v1/events",
        summary="Tell what people did",
        tags=["events"],
        responses={200: {"model": EventsResponse}, **_ERRORS},
        openapi_extra=_takes(EventsRequest),
    )
    async def events(request: Request) -> Response:
        recorded = await service.record(_events_of(await read_body(request, max_bytes=max_body_bytes)))
        rejected = [
            {"index": index, "field": field, "message": message}
            for index, field, message in recorded.rejected
        ]
        metrics.count_events(
            accepted=recorded.accepted, duplicates=recorded.duplicates, rejected=len(rejected)
        )
        answer = {"accepted": recorded.accepted, "duplicates": recorded.duplicates, "rejected": rejected}
        return Response(to_json(answer), media_type="application/json", headers=_PERSONAL)


def _add_operations(app: FastAPI, service: Service, metrics: Metrics) -> None:
    @app.get("/healthz", summary="Alive", tags=["operations"])
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @app.get(
        "/readyz",
        summary="Bundle loaded, event store reachable",
        tags=["operations"],
        responses={503: _ERRORS[503]},
    )
    async def readyz() -> dict[str, str]:
        try:
            service.store.check()
        except ServingError as error:
            raise Problem(503, "The event store cannot be read; the server's log says why.") from error
        bundle = service.pipeline.bundle
        return {"status": "ready", "bundle": bundle.name, "version": bundle.version}

    @app.get("/metrics", summary="For Prometheus", tags=["operations"])
    async def scrape() -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)


async def read_body(request: Request, *, max_bytes: int) -> bytes:
    """The body, read no further than allowed; raises Problem 413."""
    too_long = Problem(
        413, f"The body is longer than {max_bytes} bytes (serving.max_body_bytes): send less at a time."
    )
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > max_bytes:
        raise too_long
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > max_bytes:
            raise too_long
        parts.append(part)
    return b"".join(parts)


def _events_of(body: bytes) -> list[object]:
    """The list of events, each still unchecked."""
    try:
        content = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise Problem(400, f"The body is not JSON: {error}.") from None
    expected = f'send {{"events": [...]}} with 1 to {MAX_IDS} events'
    if not isinstance(content, dict) or set(content) != {"events"} or not isinstance(content["events"], list):
        raise Problem(
            422, f"The body does not hold a list of events: {expected}.", errors=[("events", expected)]
        )
    events: list[object] = content["events"]
    if not 1 <= len(events) <= MAX_IDS:
        raise Problem(422, f"The body holds {len(events)} events: {expected}.", errors=[("events", expected)])
    return events


def _takes(model: type[BaseModel]) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _describe_bodies(app: FastAPI) -> None:
    """Put the models that FastAPI does not parse itself into the OpenAPI document."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title, version=app.version, summary=app.summary, routes=app.routes
            )
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            for model in (RecommendRequest, EventsRequest, ProblemDetails):
                schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
                schemas |= schema.pop("$defs", {})
                schemas[model.__name__] = schema
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
