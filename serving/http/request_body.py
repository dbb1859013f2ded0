"""Request bodies, read no further than allowed, and described in the OpenAPI document.

The endpoints with a body parse it with pydantic's own JSON parser, which is faster than FastAPI's way.
"""

from __future__ import annotations

from typing import Any

from fastapi import Request
from pydantic import BaseModel
from pydantic_core import from_json

from features.core.json_text import replace_lone_surrogates
from serving.http.problems import Problem
from serving.http.schemas import MAX_LIST_LENGTH, FieldError


async def read_body(request: Request, *, max_bytes: int) -> bytes:
    """The body of a request. Raises Problem 413 when it is longer than `max_bytes`."""
    too_long = Problem(
        413, f"The body is longer than {max_bytes} bytes (serving.max_body_bytes): send less at a time."
    )
    content_length = request.headers.get("content-length", "")
    if content_length.isdecimal() and int(content_length) > max_bytes:
        raise too_long
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > max_bytes:
            raise too_long
        parts.append(part)
    return b"".join(parts)


def parse_events_body(body: bytes) -> list[object]:
    """The events of `{"events": [...]}`, each still unchecked; half an emoji is U+FFFD. Raises Problem."""
    try:
        content = from_json(_without_lone_surrogates(body), allow_inf_nan=False)
    except ValueError as error:
        raise Problem(400, f"The body is not JSON: {error}.") from None
    expected = f'send {{"events": [...]}} with 1 to {MAX_LIST_LENGTH} events'
    errors = [FieldError("events", expected)]
    if not isinstance(content, dict) or set(content) != {"events"} or not isinstance(content["events"], list):
        raise Problem(422, f"The body is not a list of events: {expected}.", errors=errors)
    events: list[object] = content["events"]
    if not 1 <= len(events) <= MAX_LIST_LENGTH:
        raise Problem(422, f"The body has {len(events)} events: {expected}.", errors=errors)
    return events


def _without_lone_surrogates(body: bytes) -> bytes:
    """The parser would refuse all events for one of them."""
    if b"\\ud" not in body and b"\\uD" not in body:
        return body
    try:
        return replace_lone_surrogates(body.decode()).encode()
    except UnicodeDecodeError:
        return body


def openapi_body(model: type[BaseModel]) -> dict[str, Any]:
    """The OpenAPI description of a body that FastAPI does not parse, for `openapi_extra` of a route."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
