"""Request bodies, read no longer and no further than allowed, and described in the OpenAPI document.

The endpoints with a body parse it with pydantic's own JSON parser, which is faster than FastAPI's way.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import from_json
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope

from features.core.json_text import replace_lone_surrogates
from serving.http.problems import Problem, invalid_field
from serving.http.schemas import MAX_LIST_LENGTH, MAX_TOKEN_CHARACTERS, FieldError

_CLOSE: Final = {"Connection": "close"}
"""The rest of a body that is not wanted is not waited for."""


async def read_body(scope: Scope, receive: Receive, *, max_bytes: int, timeout_s: float) -> bytes:
    """The body of a request, empty where its headers announce none.

    Raises Problem 413 when it is longer than `max_bytes`, Problem 408 when it has not arrived after
    `timeout_s` seconds, and ClientDisconnect when the caller hangs up.
    """
    headers = dict(scope["headers"])
    content_length = headers.get(b"content-length", b"")
    if not content_length and b"transfer-encoding" not in headers:
        return b""
    if content_length.isdigit() and int(content_length) > max_bytes:
        raise _too_long(max_bytes)
    try:
        async with asyncio.timeout(timeout_s):
            return await _all_parts(receive, max_bytes=max_bytes)
    except TimeoutError:
        detail = f"The body did not arrive within {timeout_s:g} s (serving.body_timeout_s): send it again."
        raise Problem(408, detail, headers=_CLOSE) from None


async def _all_parts(receive: Receive, *, max_bytes: int) -> bytes:
    parts, size, is_complete = [], 0, False
    while not is_complete:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > max_bytes:
            raise _too_long(max_bytes)
        is_complete = not message.get("more_body", False)
    return b"".join(parts)


def _too_long(max_bytes: int) -> Problem:
    detail = f"The body is longer than {max_bytes} bytes (serving.max_body_bytes): send less at a time."
    return Problem(413, detail, headers=_CLOSE)


def with_body(body: bytes, receive: Receive) -> Receive:
    """`receive` of a request whose body was read already: first the body, then what comes after it."""
    is_given = False

    async def receive_again() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again


def parse_events_body(body: bytes) -> tuple[list[object], str | None]:
    """The events of `{"events": [...]}`, each still unchecked, and the `user_token` beside them. Half an
    emoji is U+FFFD. Raises Problem."""
    try:
        content = from_json(_without_lone_surrogates(body), allow_inf_nan=False)
    except ValueError as error:
        raise Problem(400, f"The body is not JSON: {error}.") from None
    expected = f'send {{"events": [...]}} with 1 to {MAX_LIST_LENGTH} events'
    errors = [FieldError("events", expected)]
    if (
        not isinstance(content, dict)
        or content.keys() - {"events", "user_token"}
        or not isinstance(content.get("events"), list)
    ):
        raise Problem(422, f"The body is not a list of events: {expected}.", errors=errors)
    events: list[object] = content["events"]
    if not 1 <= len(events) <= MAX_LIST_LENGTH:
        raise Problem(422, f"The body has {len(events)} events: {expected}.", errors=errors)
    return events, _user_token(content.get("user_token"))


def _user_token(value: object) -> str | None:
    if value is None or (isinstance(value, str) and len(value) <= MAX_TOKEN_CHARACTERS):
        return value
    raise invalid_field("user_token", f"is no text of at most {MAX_TOKEN_CHARACTERS} characters")


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
