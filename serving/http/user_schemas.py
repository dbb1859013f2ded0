"""Requests and responses about users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import to_json

from serving.http.schemas import Flag
from serving.state.event_fields import Attributes, Id
from serving.state.live_events import MAX_ATTRIBUTES_BYTES


class UserFields(BaseModel):
    """What the shop knows of a user, and whether they agreed that it is kept."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"attributes": {"region": "north", "tier": "gold"}, "consent": True}},
    )

    attributes: Attributes | None = Field(
        None, description="In place of the earlier ones. `shopkeeper events export` writes them."
    )
    consent: Flag | None = Field(
        None,
        description="false: all that is stored of the user is deleted, and no event of theirs is stored "
        "until it is true again.",
    )

    @field_validator("attributes")
    @classmethod
    def _not_too_long(cls, attributes: dict[str, Any] | None) -> dict[str, Any] | None:
        size = len(to_json(attributes))
        if size > MAX_ATTRIBUTES_BYTES:
            raise ValueError(f"is {size} bytes of JSON, and {MAX_ATTRIBUTES_BYTES} are the most")
        return attributes


class MergeRequest(BaseModel):
    """A visitor who turned out to be a user, by logging in."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"visitor_id": "v-81", "user_id": "1234"}}
    )

    visitor_id: Id
    user_id: Id


@dataclass(frozen=True, slots=True)
class MergeResponse:
    """The visitor's events are the user's from now on."""

    user_id: str
    events: Annotated[int, Field(description="How many there were.")]


@dataclass(frozen=True, slots=True)
class UserStatus:
    """What was done with a user. It is on disk."""

    user_id: str
    status: Literal["changed", "deleted"]
    consent: Annotated[bool | None, Field(description="false where they took it back; null: never asked.")]
    attributes: dict[str, Any]
