"""The endpoints of the shop page: active users, what they did, and the catalogue."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response

from features.core.columns import BRAND, PRICE, PRODUCT_TYPE, SALE_PRICE, TITLE
from features.core.ids import clean_id
from serving.http.problems import Problem, problem_responses
from serving.http.query_parameters import ONLY_KNOWN_PARAMETERS
from serving.http.schemas import PERSONAL_HEADERS
from serving.http.service import Service
from serving.http.shop.iso_time import iso_time
from serving.http.shop.schemas import (
    CatalogueItem,
    CatalogueItems,
    Shop,
    ShopUser,
    ShopUsers,
    UserEvent,
    UserHistory,
)
from serving.http.shop.user_summary import user_summary
from serving.state.event_log import Event

_EVENT_FIELDS: Final = (TITLE, PRODUCT_TYPE, BRAND, PRICE, SALE_PRICE)

Limit = Annotated[int, Query(ge=1, le=500)]


def shop_routes(service: Service) -> APIRouter:
    """The read-only endpoints of the shop page."""
    router = APIRouter(
        prefix="/v1",
        tags=["shop"],
        responses=problem_responses(400, 422, 503),
        dependencies=ONLY_KNOWN_PARAMETERS,
    )
    _add_user_routes(router, service)
    _add_catalogue_routes(router, service)
    return router


def _add_user_routes(router: APIRouter, service: Service) -> None:
    @router.get("/shop/users", summary="The most recently active users")
    async def users(response: Response, limit: Limit = 50) -> ShopUsers:
        found = await asyncio.to_thread(service.store.recently_active_users, limit)
        response.headers.update(PERSONAL_HEADERS)
        return ShopUsers([ShopUser(user.user_key, user.num_events, iso_time(user.latest)) for user in found])

    @router.get(
        "/users/{user_id:path}",
        summary="The latest events of a user, and what they say",
        responses=problem_responses(404),
    )
    async def user(response: Response, user_id: str, limit: Limit = 50) -> UserHistory:
        """Empty for a user without events. A visitor's id here is `visitor:` and the visitor_id."""
        user_id = clean_id(user_id)
        latest = service.store.latest_events(user_id, limit=limit)
        num_events = service.store.num_events(user_id)
        response.headers.update(PERSONAL_HEADERS)
        return UserHistory(
            user_id=user_id,
            num_events=num_events,
            events=[_user_event(service, event) for event in latest],
            attributes=service.store.users.attributes(user_id),
            profile=user_summary(service, user_id if num_events else None),
            consent=False if service.store.users.suppression(user_id) == "no_consent" else None,
        )


def _add_catalogue_routes(router: APIRouter, service: Service) -> None:
    @router.get("/shop", summary="The surfaces of this shop, the columns of its catalogue, its currency")
    async def shop() -> Shop:
        catalogue, settings = service.catalogue, service.pipeline.bundle.settings
        return Shop(
            surfaces=list(settings.surfaces),
            columns=list(catalogue.columns),
            currency=catalogue.currency,
            has_times=settings.has_times,
        )

    @router.get("/items", summary="Search the catalogue; without a query, the best-selling items")
    async def items(query: Annotated[str, Query(max_length=200)] = "", limit: Limit = 20) -> CatalogueItems:
        await service.follow_items()
        found = service.catalogue.search(query, limit=limit)
        return CatalogueItems([_catalogue_item(service, index) for index in found])

    @router.get(
        "/items/{item_id:path}", summary="One item of the catalogue", responses=problem_responses(404)
    )
    async def item(item_id: str) -> CatalogueItem:
        await service.follow_items()
        index = service.live.index(clean_id(item_id))
        if index is None:
            raise Problem(404, f"The catalogue has no item {item_id[:100]!r}.")
        return _catalogue_item(service, index)


def _catalogue_item(service: Service, index: int) -> CatalogueItem:
    fields = service.catalogue.fields(index, service.catalogue.columns)
    return CatalogueItem(item_id=service.pipeline.bundle.item_ids[index], fields=fields)


def _user_event(service: Service, event: Event) -> UserEvent:
    index = service.pipeline.bundle.item_index.get(event.item_id or "")
    names = [name for name in _EVENT_FIELDS if name in service.catalogue.columns]
    fields: dict[str, Any] = {} if index is None else service.catalogue.fields(index, names)
    return UserEvent(
        event_type=event.event_type,
        timestamp=iso_time(event.timestamp),
        item_id=event.item_id,
        quantity=event.quantity,
        transaction_id=event.transaction_id,
        title=fields.get(TITLE),
        product_type=fields.get(PRODUCT_TYPE),
        brand=fields.get(BRAND),
        price=event.price,
        catalogue_price=fields.get(PRICE) if fields.get(SALE_PRICE) is None else fields[SALE_PRICE],
    )
