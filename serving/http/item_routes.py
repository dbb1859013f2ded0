"""The endpoints of the live catalogue: put, bulk upsert and delete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request

from features.core.columns import AVAILABILITY, CURRENCY, ITEM_PRICES, TITLE
from serving.http.item_schemas import ItemFields, ItemsRequest, ItemsResponse, ItemStatus
from serving.http.path_ids import id_of_path
from serving.http.problems import Problem, in_field, invalid_field, problem_responses
from serving.http.query_parameters import ONLY_KNOWN_PARAMETERS
from serving.http.request_body import openapi_body
from serving.http.service import Service

Changes = Mapping[str, Mapping[str, Any] | None]
"""Item id -> its fields; None deletes it"""


def item_routes(service: Service, *, max_new_items: int) -> APIRouter:
    """What was answered is on disk. This process shows it from then on, any other within a second."""
    router = APIRouter(
        prefix="/v1",
        tags=["items"],
        responses=problem_responses(400, 404, 408, 413, 422, 503),
        dependencies=ONLY_KNOWN_PARAMETERS,
    )

    async def change(changes: Changes) -> list[ItemStatus]:
        return await _change(service, changes, max_new_items=max_new_items)

    @router.put(
        "/items/{item_id:path}",
        summary="Add an item, or change what is said of it",
        openapi_extra=openapi_body(ItemFields),
    )
    async def put(item_id: str, request: Request) -> ItemStatus:
        fields = ItemFields.model_validate_json(await request.body())
        await service.follow_items()
        item = id_of_path(item_id, "item_id")
        return (await change({item: _complete(service, item, _sent(service, fields))}))[0]

    @router.post("/items", summary="Add or change many items", openapi_extra=openapi_body(ItemsRequest))
    async def put_many(request: Request) -> ItemsResponse:
        """All of them or none. Of an id that is there twice both count, the later one more."""
        wanted = ItemsRequest.model_validate_json(await request.body())
        await service.follow_items()
        sent: dict[str, dict[str, Any]] = {}
        changes: dict[str, dict[str, Any]] = {}
        for place, item in enumerate(wanted.items):
            try:
                sent[item.id] = sent.get(item.id, {}) | _sent(service, item)
                changes[item.id] = _complete(service, item.id, sent[item.id])
            except Problem as problem:
                raise in_field(f"items.{place}", problem) from None
        return ItemsResponse(await change(changes))

    @router.delete("/items/{item_id:path}", summary="Take an item out of all lists")
    async def delete(item_id: str) -> ItemStatus:
        """It stays away when another bundle comes, until it is put again."""
        await service.follow_items()
        if service.live.index(item := id_of_path(item_id, "item_id")) is None:
            raise Problem(404, f"The catalogue has no item {item[:100]!r}.")
        return (await change({item: None}))[0]

    return router


async def _change(service: Service, changes: Changes, *, max_new_items: int) -> list[ItemStatus]:
    """Store changes and carry them out. Raises Problem where there are too many new items."""
    statuses = [_status(service, item, fields) for item, fields in changes.items()]
    num_added = sum(status.status == "added" for status in statuses)
    if num_added and service.live.num_new + num_added > max_new_items:
        raise Problem(
            422,
            f"{service.live.num_new} items are new since the bundle was made, and serving.max_new_items is "
            f"{max_new_items}: make a bundle that knows them (`shopkeeper refresh`), or raise it.",
        )
    await service.store.items.change(changes, now=service.now())
    await service.follow_items()
    return statuses


def _status(service: Service, item_id: str, fields: Mapping[str, Any] | None) -> ItemStatus:
    if fields is None:
        return ItemStatus(item_id, "deleted")
    return ItemStatus(item_id, "changed" if service.live.index(item_id) is not None else "added")


def _complete(service: Service, item_id: str, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of an item; those of a new one with what it has for want of anything else. Raises Problem
    for one without a title: most likely its id is wrong."""
    if item_id in service.pipeline.bundle.item_index:
        return fields
    if not fields.get(TITLE) and TITLE in service.catalogue.columns:
        raise invalid_field(TITLE, f"is missing: nobody knows an item {item_id[:100]!r}, so it needs one")
    return {AVAILABILITY: "in_stock", **fields}


def _sent(service: Service, item: ItemFields) -> dict[str, Any]:
    """The fields that were sent, with prices in the shop's currency. Raises Problem."""
    fields = item.model_dump(include=item.model_fields_set - {"id"})
    rates, currency = service.exchange_rates, fields.get(CURRENCY)
    if currency is None or rates.currency in (None, currency):
        return fields
    if currency not in rates.rates:
        raise invalid_field(
            CURRENCY,
            f"is {currency}, and the shop's is {rates.currency}: set prepare.exchange_rates.{currency}",
        )
    for name in ITEM_PRICES:
        if fields.get(name) is not None:
            fields[name] *= rates.rates[currency]
    return fields | {CURRENCY: rates.currency}
