"""The endpoints of the API: recommend, events, and those for operations."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from configs.exceptions import ServingError
from serving.http.bundle_status import BundleStatus
from serving.http.callers import caller_of
from serving.http.key_guard import WITHOUT_KEY
from serving.http.problems import Problem, problem_responses
from serving.http.prometheus import RequestMetrics
from serving.http.query_parameters import ONLY_KNOWN_PARAMETERS
from serving.http.request_body import openapi_body
from serving.http.request_log import logger, where_logged
from serving.http.schemas import (
    EventsRequest,
    EventsResponse,
    Liveness,
    PageRequest,
    PageResponse,
    RankRequest,
    RankResponse,
    Readiness,
    RecommendRequest,
    RecommendResponse,
)
from serving.http.service import Service


def hot_routes() -> APIRouter:
    """The descriptions of what `HotEndpoints` answers; only query parameters, which are refused, come so
    far."""
    router = APIRouter(
        prefix="/v1", responses=problem_responses(400, 408, 413, 422, 503), dependencies=ONLY_KNOWN_PARAMETERS
    )

    @router.post(
        "/recommend",
        tags=["recommend"],
        summary="A list for a user on a surface",
        responses=problem_responses(409),
        openapi_extra=openapi_body(RecommendRequest),
    )
    async def recommend() -> RecommendResponse:
        raise AssertionError("HotEndpoints stands before this route")

    @router.post(
        "/page",
        tags=["recommend"],
        summary="Several lists for one page, no item twice",
        openapi_extra=openapi_body(PageRequest),
    )
    async def page() -> PageResponse:
        raise AssertionError("HotEndpoints stands before this route")

    @router.post(
        "/rank",
        tags=["recommend"],
        summary="The order in which a user would want some items",
        openapi_extra=openapi_body(RankRequest),
    )
    async def rank() -> RankResponse:
        raise AssertionError("HotEndpoints stands before this route")

    @router.post(
        "/events",
        tags=["events"],
        summary="Record events of users",
        openapi_extra=openapi_body(EventsRequest),
    )
    async def events() -> EventsResponse:
        raise AssertionError("HotEndpoints stands before this route")

    return router


def operations_routes(service: Service, metrics: RequestMetrics, status: BundleStatus) -> APIRouter:
    """Liveness, readiness and metrics."""
    router = APIRouter(tags=["operations"])

    @router.head("/healthz", include_in_schema=False)
    @router.get("/healthz", summary="The server process answers", openapi_extra=WITHOUT_KEY)
    async def healthz() -> Liveness:
        return Liveness()

    @router.head("/readyz", include_in_schema=False)
    @router.get(
        "/readyz",
        summary="The bundle is loaded and the event store can be read",
        openapi_extra=WITHOUT_KEY,
        responses=problem_responses(503),
    )
    async def readyz(request: Request) -> Readiness:
        try:
            service.store.check()
        except ServingError as error:
            logger.error("%s", error)
            raise Problem(503, f"The event store cannot be read: see {where_logged()}.") from error
        bundle, trouble = service.pipeline.bundle, service.store.write_trouble()
        return Readiness(
            bundle=bundle.name,
            version=bundle.version,
            events="refused" if trouble else "accepted",
            reason=trouble,
            refused_bundle=_told(request, status.refused_bundle),
            fallback_reason=_told(request, status.fallback_reason),
        )

    @router.get(
        "/metrics",
        summary="Metrics of all replicas for Prometheus",
        response_class=PlainTextResponse,
    )
    async def scrape() -> Response:
        metrics.note_kept(service.kept())
        metrics.note_event_log(is_writable=service.store.write_trouble() is None)
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return router


def _told(request: Request, reason: str | None) -> str | None:
    """What is wrong with a bundle: in full, with its path, for those who may know everything."""
    if reason is None or caller_of(request.scope).is_private:
        return reason
    return f"see {where_logged()}, or ask with a private key"
