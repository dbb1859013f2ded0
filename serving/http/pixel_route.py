"""One event by GET, for where no script runs: an e-mail, an AMP page, an `<img>` of a partner."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request, Response

from serving.http.callers import caller_of
from serving.http.key_guard import KEY_PARAMETER
from serving.http.problems import invalid_field, problem_responses
from serving.http.schemas import PERSONAL_HEADERS
from serving.http.service import Service
from serving.state.live_events import LiveEvent

PIXEL: Final = bytes.fromhex(
    "47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b"
)
"""A transparent GIF of one pixel"""

_NOT_IN_A_URL: Final = ("items", "attributes")
_TOKEN_PARAMETER: Final = "user_token"
_OF_THE_CALLER: Final = (KEY_PARAMETER, _TOKEN_PARAMETER)


def pixel_route(service: Service) -> APIRouter:
    """The query parameters are the fields of an event that are one value, a public key and a user_token."""
    router = APIRouter(prefix="/v1", tags=["events"], responses=problem_responses(422, 503))

    @router.get(
        "/events/collect",
        summary="Record one event, and answer with a pixel",
        response_class=Response,
        responses={200: {"description": "The event is on disk.", "content": {"image/gif": {}}}},
        openapi_extra={"parameters": _parameters()},
    )
    async def collect(request: Request) -> Response:
        sent = {name: value for name, value in request.query_params.items() if value != ""}
        event = {name: value for name, value in sent.items() if name not in _OF_THE_CALLER}
        only = caller_of(request.scope).named_user(sent.get(_TOKEN_PARAMETER))
        recorded = await service.record([event], only=only)
        if recorded.rejected:
            raise invalid_field(recorded.rejected[0].field, recorded.rejected[0].message)
        return Response(PIXEL, media_type="image/gif", headers=PERSONAL_HEADERS)

    return router


def _parameters() -> list[dict[str, Any]]:
    """The parameters in the OpenAPI document."""
    schema = LiveEvent.model_json_schema()
    return [
        {"in": "query", "name": name, "required": name in schema["required"], "schema": {"type": "string"}}
        for name in schema["properties"]
        if name not in _NOT_IN_A_URL
    ] + [
        {"in": "query", "name": name, "required": False, "schema": {"type": "string"}}
        for name in _OF_THE_CALLER
    ]
