"""The HTTP API as a FastAPI app around a `Service`. It knows nothing of Ray: a test drives it directly."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.staticfiles import StaticFiles
from pydantic import TypeAdapter

from serving.http.load_shedding import LoadShedding
from serving.http.problems import install_problem_handlers
from serving.http.prometheus import MeasureRequests, RequestMetrics
from serving.http.routes import event_routes, operations_routes, recommend_routes
from serving.http.schemas import EventsRequest, ProblemDetails, RecommendRequest
from serving.http.service import Service
from serving.http.shop.routes import shop_routes

SHOP_FOLDER: Final = Path(__file__).parent / "shop"


def build_app(service: Service, *, max_body_bytes: int, fallback_reason: str | None = None) -> FastAPI:
    """The app of one server process. `fallback_reason`: why another bundle than the wanted one is served."""
    app = FastAPI(
        title="Shopkeeper", version="1", summary="Recommendations for a shop, and the events they learn from."
    )
    bundle = service.pipeline.bundle
    metrics = RequestMetrics(bundle_name=bundle.name, bundle_version=bundle.version)
    app.add_middleware(LoadShedding)
    app.add_middleware(MeasureRequests, metrics=metrics)
    install_problem_handlers(app)
    app.include_router(recommend_routes(service, metrics, max_body_bytes=max_body_bytes))
    app.include_router(event_routes(service, metrics, max_body_bytes=max_body_bytes))
    app.include_router(operations_routes(service, metrics, fallback_reason=fallback_reason))
    app.include_router(shop_routes(service))
    if SHOP_FOLDER.is_dir():
        app.mount("/shop", StaticFiles(directory=SHOP_FOLDER, html=True), name="shop")
    _add_schemas_to_openapi(app)
    return app


def _add_schemas_to_openapi(app: FastAPI) -> None:
    """Add the schemas that routes refer to by name alone to the OpenAPI document."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title, version=app.version, summary=app.summary, routes=app.routes
            )
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            for model in (RecommendRequest, EventsRequest, ProblemDetails):
                schema = TypeAdapter(model).json_schema(ref_template="#/components/schemas/{model}")
                schemas |= schema.pop("$defs", {})
                schemas[model.__name__] = schema
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
