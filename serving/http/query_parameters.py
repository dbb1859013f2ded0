"""Refuses query parameters that an endpoint does not have, as bodies refuse unknown fields."""

from __future__ import annotations

from typing import Final

from fastapi import Depends, Request
from fastapi.routing import APIRoute

from serving.http.problems import Problem
from serving.http.schemas import FieldError


def _refuse_unknown_parameters(request: Request) -> None:
    """Raises Problem 400 that names the unknown parameters and the known ones."""
    route = request.scope["route"]
    assert isinstance(route, APIRoute)
    known = [parameter.alias for parameter in route.dependant.query_params]
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        there_are = f"it has {', '.join(known)}" if known else "it has none"
        message = f"is not a query parameter of this endpoint; {there_are}"
        raise Problem(
            400,
            f"{', '.join(name[:100] for name in unknown)}: not a query parameter of {route.path_format}; "
            f"{there_are}.",
            errors=[FieldError(name[:100], message) for name in unknown[:50]],
        )


ONLY_KNOWN_PARAMETERS: Final = [Depends(_refuse_unknown_parameters)]
"""For `dependencies` of a router."""
