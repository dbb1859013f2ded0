"""Every error as RFC 9457 problem details: what was wrong and what to do, never a stack trace."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from pydantic_core import ErrorDetails, to_json
from starlette.exceptions import HTTPException
from starlette.responses import Response

from configs.exceptions import ServingError

logger = logging.getLogger("shopkeeper")

Errors = Sequence[tuple[str, str]]
"""(field, message)"""


class Problem(Exception):  # noqa: N818
    """An error that a caller caused, or can do something about."""

    def __init__(
        self, status: int, detail: str, *, errors: Errors = (), headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.errors, self.headers = status, detail, errors, headers

    def response(self) -> Response:
        """The problem details."""
        content = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "errors": [{"field": field, "message": message} for field, message in self.errors],
        }
        return Response(
            to_json(content), self.status, headers=self.headers, media_type="application/problem+json"
        )


def invalid(errors: Sequence[ErrorDetails]) -> Problem:
    """A 422 that names every field at fault."""
    found = [(".".join(str(part) for part in error["loc"]), error["msg"]) for error in errors]
    if any(error["type"] == "json_invalid" for error in errors):
        return Problem(
            400, f"The body is not JSON: {found[0][1].removeprefix('Invalid JSON: ')}.", errors=found
        )
    shown = "; ".join(f"{field or 'body'}: {message}" for field, message in found[:3])
    more = f"; and {len(found) - 3} more" if len(found) > 3 else ""
    return Problem(422, f"The request cannot be answered as it is. {shown}{more}.", errors=found[:50])


def install_problem_handlers(app: FastAPI) -> None:
    """Let every error of the app leave as problem details."""

    @app.exception_handler(Problem)
    async def on_problem(_: Request, problem: Problem) -> Response:
        return problem.response()

    @app.exception_handler(ValidationError)
    async def on_invalid_body(_: Request, error: ValidationError) -> Response:
        return invalid(error.errors(include_url=False, include_context=False, include_input=False)).response()

    @app.exception_handler(RequestValidationError)
    async def on_invalid_parameters(_: Request, error: RequestValidationError) -> Response:
        return invalid(error.errors()).response()

    @app.exception_handler(HTTPException)
    async def on_http_error(request: Request, error: HTTPException) -> Response:
        details = {
            404: f"There is nothing at {request.url.path}: /docs lists what there is.",
            405: f"{request.method} is not for {request.url.path}: /docs says what is.",
        }
        headers = dict(error.headers) if error.headers else None
        return Problem(
            error.status_code, details.get(error.status_code, str(error.detail)), headers=headers
        ).response()

    @app.exception_handler(ServingError)
    async def on_serving_error(_: Request, error: ServingError) -> Response:
        logger.error("%s", error)
        detail = "The event store cannot be used at the moment; nothing of this request was stored. The server's log says why."
        return Problem(503, detail, headers={"Retry-After": "5"}).response()

    @app.exception_handler(Exception)
    async def on_bug(_: Request, error: Exception) -> Response:
        logger.error("unexpected %s", type(error).__name__, exc_info=error)
        return Problem(500, "Something went wrong in the server; its log says what.").response()
