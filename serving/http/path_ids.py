"""Ids in the path of a request."""

from __future__ import annotations

from typing import Final

from pydantic import TypeAdapter, ValidationError

from serving.http.problems import invalid_field
from serving.state.event_fields import Id

_IDS: Final = TypeAdapter[str](Id)


def id_of_path(text: str, field: str) -> str:
    """The id in its one form. Raises Problem."""
    try:
        return _IDS.validate_python(text)
    except ValidationError as error:
        raise invalid_field(field, error.errors()[0]["msg"]) from None
