"""Every error as RFC 9457 problem details: what is wrong and how to fix it, never a stack trace."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from pydantic_core import ErrorDetails, to_json
from starlette.exceptions import HTTPException
from starlette.responses import Response

from configs.exceptions import ServingError, StoreAwayError, StoreBusyError
from serving.http.request_log import where_logged
from serving.http.schemas import FieldError, ProblemDetails

logger = logging.getLogger("shopkeeper.http")

MEDIA_TYPE: Final = "application/problem+json"

_DESCRIPTIONS: Final = {
    400: "The body is not JSON, or a query parameter is unknown",
    401: "There is no API key, or it is unknown",
    403: "The caller, its key, or the page that calls is not allowed this",
    404: "Not found",
    408: "The body did not arrive in time",
    409: "The cursor is of a list that another bundle made",
    413: "The body is too long",
    422: "Something in the request is invalid; `errors` says what",
    429: "The key sent too many requests",
    503: "The server is overloaded, or the event store cannot be used",
}


class Problem(Exception):  # noqa: N818
    """An error that the caller caused, or can do something about."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.headers = status, headers
        self.details = ProblemDetails(
            title=HTTPStatus(status).phrase, status=status, detail=detail, errors=list(errors)
        )

    def response(self) -> Response:
        """The problem details as a response."""
        return Response(to_json(self.details), self.status, headers=self.headers, media_type=MEDIA_TYPE)


def whole_response(problem: Problem) -> bytes:
    """The problem details as HAProxy sends them from a file: with the line of the status and all headers."""
    response = problem.response()
    status = f"HTTP/1.1 {problem.status} {problem.details.title}\r\n".encode()
    headers = b"".join(name + b": " + value + b"\r\n" for name, value in response.raw_headers)
    return status + headers + b"\r\n" + bytes(response.body)


def invalid_field(field: str, message: str) -> Problem:
    """A 422 for one field. `message` is a sentence without its full stop."""
    return Problem(422, f"{field}: {message}.", errors=[FieldError(field, message)])


def together(*problems: Problem) -> Problem:
    """A 422 that names the fields of them all."""
    errors = [error for problem in problems for error in problem.details.errors]
    faults = "; ".join(f"{error.field}: {error.message}" for error in errors)
    return Problem(422, f"The request is invalid. {faults}.", errors=errors)


def in_field(name: str, problem: Problem) -> Problem:
    """The problem of a part of a request, whose fields are those of `name`."""
    errors = [FieldError(f"{name}.{error.field}", error.message) for error in problem.details.errors]
    return Problem(
        problem.status, f"{name}: {problem.details.detail}", errors=errors, headers=problem.headers
    )


def invalid_request(errors: Sequence[ErrorDetails]) -> Problem:
    """A 422 that names every field at fault, or a 400 for a body that is not JSON."""
    found = [FieldError(".".join(str(part) for part in error["loc"]), _message(error)) for error in errors]
    if any(error["type"] == "json_invalid" for error in errors):
        message = found[0].message.removeprefix("Invalid JSON: ")
        return Problem(400, f"The body is not JSON: {message}.", errors=found)
    first = "; ".join(f"{error.field or 'body'}: {error.message}" for error in found[:3])
    more = f"; and {len(found) - 3} more" if len(found) > 3 else ""
    return Problem(422, f"The request is invalid. {first}{more}.", errors=found[:50])


def _message(error: ErrorDetails) -> str:
    """Pydantic's message, in words that a caller of the API can use."""
    if error["type"] == "extra_forbidden":
        return "is not a field of this request: /docs has them"
    return error["msg"].removeprefix("Value error, ")


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """These statuses as problem details, for `responses` of a route."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
    return {status: {"description": _DESCRIPTIONS[status], "content": content} for status in statuses}


def response_to(error: Exception) -> Response:
    """What a caller gets for an error of an endpoint. Logs what is the server's own fault."""
    if isinstance(error, Problem):
        return error.response()
    if isinstance(error, ValidationError):
        errors = error.errors(include_url=False, include_context=False, include_input=False)
        return invalid_request(errors).response()
    if isinstance(error, StoreBusyError):
        detail = (
            "The event store is busy: another program holds its lock, or too many events wait. Nothing of "
            "this request was stored: send it again."
        )
        return Problem(503, detail, headers={"Retry-After": "2"}).response()
    if isinstance(error, StoreAwayError):
        detail = (
            "The event store does not answer at the moment. Send the request again: events with an event_id "
            "count once, whether they were stored or not."
        )
        return Problem(503, detail, headers={"Retry-After": "2"}).response()
    if isinstance(error, ServingError):
        logger.error("%s", error)
        detail = (
            "The event store cannot be used at the moment, and nothing of this request was stored. See "
            f"{where_logged()}."
        )
        return Problem(503, detail, headers={"Retry-After": "5"}).response()
    logger.error("unexpected %s", type(error).__name__, exc_info=error)
    return Problem(500, f"An unexpected error: see {where_logged()}.").response()


def install_problem_handlers(app: FastAPI) -> None:
    """Answer every error of the app with problem details."""

    for kind in (Problem, ValidationError, ServingError, Exception):

        @app.exception_handler(kind)
        async def on_error(_: Request, error: Exception) -> Response:
            return response_to(error)

    @app.exception_handler(RequestValidationError)
    async def on_invalid_parameters(_: Request, error: RequestValidationError) -> Response:
        return invalid_request(error.errors()).response()

    @app.exception_handler(HTTPException)
    async def on_http_error(request: Request, error: HTTPException) -> Response:
        path = request.url.path
        details = {
            404: f"There is nothing at {path}: see /docs for the endpoints.",
            405: f"{path} does not support {request.method}: see /docs.",
        }
        headers = dict(error.headers) if error.headers else None
        detail = details.get(error.status_code, str(error.detail))
        return Problem(error.status_code, detail, headers=headers).response()
