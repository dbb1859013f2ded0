"""The HTTP API as a FastAPI app around a `Service`. It knows nothing of Ray: a test drives it directly."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.staticfiles import StaticFiles
from pydantic import TypeAdapter
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import HTMLResponse, RedirectResponse
from starlette.types import ASGIApp

from configs.settings.services import ServingConfig
from serving.access.access import Access
from serving.http.bundle_status import BundleCollector, BundleStatus
from serving.http.docs_page import DOCS_PAGE
from serving.http.hot_endpoints import HotEndpoints
from serving.http.item_routes import item_routes
from serving.http.item_schemas import ItemFields, ItemsRequest
from serving.http.key_guard import KEY_HEADER, SECURITY, SECURITY_SCHEMES, KeyGuard
from serving.http.load_shedding import LoadShedding
from serving.http.pixel_route import pixel_route
from serving.http.problems import install_problem_handlers, problem_responses
from serving.http.prometheus import MeasureRequests, RequestMetrics
from serving.http.response_headers import ResponseHeaders
from serving.http.routes import hot_routes, operations_routes
from serving.http.schemas import EventsRequest, PageRequest, ProblemDetails, RankRequest, RecommendRequest
from serving.http.service import Service
from serving.http.shop.routes import shop_routes
from serving.http.user_routes import user_routes
from serving.http.user_schemas import MergeRequest, UserFields

_MODELS: Final[tuple[type, ...]] = (
    RecommendRequest,
    PageRequest,
    RankRequest,
    EventsRequest,
    ItemFields,
    ItemsRequest,
    UserFields,
    MergeRequest,
    ProblemDetails,
)
"""What routes refer to by name alone"""

SHOP_FOLDER: Final = Path(__file__).parent / "shop"


def build_app(
    service: Service,
    serving: ServingConfig,
    *,
    access: Access | None = None,
    status: BundleStatus | None = None,
) -> ASGIApp:
    """The app of one server process: the API behind what every request passes, outermost last.

    `access`: the keys of callers; None: whoever reaches the app may do everything. `status`: what becomes of
    the bundles that are to be served.
    """
    status, metrics = status or BundleStatus(), RequestMetrics()
    metrics.registry.register(BundleCollector(lambda: service.pipeline.bundle, status))
    api = build_api(service, metrics, status, max_new_items=serving.max_new_items)
    service.watch.listener = metrics
    app: ASGIApp = HotEndpoints(api, service, metrics)
    app = LoadShedding(app, serving)
    if access is not None:
        app = KeyGuard(app, serving, access)
    app = MeasureRequests(app, metrics)
    app = ResponseHeaders(app)
    return _with_cors(app, serving.cors_origins)


def _with_cors(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """The app for pages of other origins, too: their preflight requests are answered here."""
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=["GET", "HEAD", "POST"],
        allow_headers=["Content-Type", KEY_HEADER],
        expose_headers=["Retry-After"],
    )


def build_api(
    service: Service, metrics: RequestMetrics, status: BundleStatus, *, max_new_items: int
) -> FastAPI:
    """The endpoints, their problem details and their OpenAPI document."""
    app = FastAPI(
        title="Shopkeeper",
        version="1",
        summary="Recommendations for a shop, and the events they learn from.",
        responses=problem_responses(401, 403, 429),  # of the guards, which stand before the app
        docs_url=None,  # see docs_page
        redoc_url=None,
        redirect_slashes=False,  # to an address made of the Host header, which a proxy may have set
    )
    install_problem_handlers(app)
    app.include_router(hot_routes())
    app.include_router(operations_routes(service, metrics, status))
    app.include_router(pixel_route(service))
    app.include_router(item_routes(service, max_new_items=max_new_items))
    app.include_router(user_routes(service))
    app.include_router(shop_routes(service))
    app.add_api_route("/docs", _docs_page, include_in_schema=False)
    if SHOP_FOLDER.is_dir():
        app.add_api_route("/", _to_shop_page, include_in_schema=False)
        app.add_api_route("/shop", _to_shop_page, include_in_schema=False)
        app.mount("/shop", StaticFiles(directory=SHOP_FOLDER, html=True), name="shop")
    _add_schemas_to_openapi(app)
    return app


async def _docs_page() -> HTMLResponse:
    return HTMLResponse(DOCS_PAGE)


async def _to_shop_page() -> RedirectResponse:
    return RedirectResponse("/shop/")


def _add_schemas_to_openapi(app: FastAPI) -> None:
    """Add the schemas that routes refer to by name alone to the OpenAPI document."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title, version=app.version, summary=app.summary, routes=app.routes
            )
            components = document.setdefault("components", {})
            components["securitySchemes"], document["security"] = SECURITY_SCHEMES, SECURITY
            schemas = components.setdefault("schemas", {})
            for model in _MODELS:
                schema = TypeAdapter(model).json_schema(ref_template="#/components/schemas/{model}")
                schemas |= schema.pop("$defs", {})
                schemas[model.__name__] = schema
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
