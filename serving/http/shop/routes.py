"""What the shop page reads: who there is, what they did, and what is for sale."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response
from pydantic_core import to_json

from features.core.columns import BRAND, PRODUCT_TYPE, TITLE
from serving.http.problems import Problem
from serving.http.service import Service
from serving.state.event_log import Event

_SHOWN: Final = (TITLE, PRODUCT_TYPE, BRAND)

Limit = Annotated[int, Query(ge=1, le=500)]


def shop_routes(service: Service) -> APIRouter:
    """The read-only endpoints of the shop page."""
    router = APIRouter(prefix="/v1", tags=["shop"])
    item_index, item_ids = service.pipeline.bundle.item_index, service.pipeline.bundle.item_ids

    @router.get("/shop", summary="What this shop has: surfaces, columns of the catalogue, currency")
    async def shop() -> dict[str, Any]:
        catalogue, surfaces = service.catalogue, service.pipeline.bundle.surfaces
        return {"surfaces": list(surfaces), "columns": catalogue.columns, "currency": catalogue.currency}

    @router.get("/shop/people", summary="Who did something latest")
    async def people(limit: Limit = 50) -> Response:
        found = await asyncio.to_thread(service.store.sample_people, limit)
        listed = [
            {"id": person.who, "num_events": person.num_events, "latest": _iso(person.latest)}
            for person in found
        ]
        return _personal({"people": listed})

    @router.get("/users/{user_id:path}", summary="What someone did lately")
    async def user(user_id: str, limit: Limit = 50) -> Response:
        """Nobody is unknown: without events the list is empty. A visitor is `visitor:` and the visitor_id."""
        latest = service.store.latest_events(user_id, limit=limit)
        events = [_event(service, event) for event in latest]
        return _personal(
            {"user_id": user_id, "num_events": service.store.num_events(user_id), "events": events}
        )

    @router.get("/items", summary="Search the catalogue; without a query, what sells most")
    async def items(query: Annotated[str, Query(max_length=200)] = "", limit: Limit = 20) -> dict[str, Any]:
        return {
            "items": [_item(service, item_ids[item]) for item in service.catalogue.search(query, limit=limit)]
        }

    @router.get("/items/{item_id:path}", summary="One item of the catalogue")
    async def item(item_id: str) -> dict[str, Any]:
        if item_id not in item_index:
            raise Problem(404, f"The catalogue of this bundle has no item {item_id[:100]!r}.")
        return _item(service, item_id)

    return router


def _item(service: Service, item_id: str) -> dict[str, Any]:
    index = service.pipeline.bundle.item_index[item_id]
    return {"item_id": item_id, "fields": service.catalogue.fields(index, service.catalogue.columns)}


def _event(service: Service, event: Event) -> dict[str, Any]:
    index = service.pipeline.bundle.item_index.get(event.item_id or "")
    shown = [name for name in _SHOWN if name in service.catalogue.columns]
    fields: dict[str, Any] = {} if index is None else service.catalogue.fields(index, shown)
    return {
        "event_type": event.event_type,
        "timestamp": _iso(event.timestamp),
        "item_id": event.item_id,
        "quantity": event.quantity,
        "transaction_id": event.transaction_id,
        **{name: fields.get(name) for name in shown},
        "price": fields.get("price") if event.price is None else event.price,
    }


def _iso(microseconds: int) -> str:
    return (
        datetime.fromtimestamp(microseconds / 1e6, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    )


def _personal(content: dict[str, Any]) -> Response:
    return Response(
        to_json(content), media_type="application/json", headers={"Cache-Control": "private, no-store"}
    )
