"""Where a request comes from, in the words of an event's columns."""

from __future__ import annotations

import math
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from serving.state.event_fields import Text

MAX_KEYS: Final = 20
_MAX_TEXT: Final = 1_000


def _value(value: object) -> object:
    """In one message, where a union would have one for each of its types."""
    is_finite = isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value))
    if is_finite or (isinstance(value, str) and len(value) <= _MAX_TEXT):
        return value
    raise PydanticCustomError(
        "context_value", f"is no text of at most {_MAX_TEXT:,} characters, no number, and not true or false"
    )


_SCHEMA: Final = [{"type": "string", "maxLength": _MAX_TEXT}] + [
    {"type": name} for name in ("boolean", "integer", "number")
]
Value = Annotated[Any, AfterValidator(_value), WithJsonSchema({"anyOf": _SCHEMA})]


class RequestContext(BaseModel):
    """A flat object: the columns of an event that say where it came from, and whatever else the shop likes
    to keep, as texts, numbers, true or false."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"maxProperties": MAX_KEYS})
    __pydantic_extra__: dict[str, Value] = Field(init=False)

    channel: Text | None = None
    device: Text | None = None
    country: Text | None = None
    source: Text | None = None
    medium: Text | None = None
    campaign: Text | None = None

    @model_validator(mode="after")
    def _few(self) -> Self:
        if len(self.model_fields_set) > MAX_KEYS:
            raise ValueError(f"has {len(self.model_fields_set)} keys; at most {MAX_KEYS} are kept")
        return self

    def columns(self) -> dict[str, str]:
        """Column of an event → value."""
        named = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value for name, value in named.items() if value is not None}

    def attributes(self) -> dict[str, Any]:
        """All that no column of an event holds."""
        return dict(self.__pydantic_extra__ or {})
