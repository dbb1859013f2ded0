"""The responses that HAProxy gives itself, as problem details like every other error."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Final

from pydantic_core import to_json

from serving.deploy.haproxy_config import STATUSES
from serving.http.problems import MEDIA_TYPE
from serving.http.schemas import ProblemDetails

_DETAILS: Final = {
    400: "The request is not valid HTTP, or its headers are too long.",
    408: "The request did not arrive within 10 s.",
    413: "The request is too long.",
    500: "An unexpected error of the proxy.",
    502: "A server process ended while it handled this request: send it again. Events that have an event_id "
    "count once.",
    503: "No server process can answer at the moment: try again in a second.",
    504: "The answer took too long: try again in a second. Events that have an event_id count once.",
}
_RETRY: Final = (502, 503, 504)


def write_haproxy_errors(folder: Path) -> None:
    """Write a response for each status into a new folder."""
    folder.mkdir()
    for status in STATUSES:
        (folder / f"{status}.http").write_bytes(_response(status))


def _response(status: int) -> bytes:
    detail = _DETAILS[status]
    if status == 502:  # to a caller it is the same as no process: try again
        status = 503
    title = HTTPStatus(status).phrase
    body = to_json(ProblemDetails(title=title, status=status, detail=detail, errors=[]))
    headers = [
        f"HTTP/1.1 {status} {title}",
        f"Content-Type: {MEDIA_TYPE}",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        *(["Retry-After: 1"] if status in _RETRY else []),
    ]
    return "\r\n".join([*headers, "", ""]).encode("ascii") + body
