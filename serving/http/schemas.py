"""What the recommend and events endpoints take and give, as their callers see it in /docs."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from serving.state.live_events import Id, LiveEvent

MAX_IDS = 500


class RecommendRequest(BaseModel):
    """Who asks, where on the site, and what is on the page."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "user_id": "1234",
                "surface": "home",
                "num_results": 5,
                "return_fields": ["title", "price"],
            }
        },
    )

    user_id: Id | None = Field(None, description="Who; without user_id and visitor_id a stranger.")
    visitor_id: Id | None = None
    session_id: Id | None = None
    surface: str = Field("home", max_length=100, description="Which list: one of the configured surfaces.")
    item_ids: list[Id] = Field(
        [], max_length=MAX_IDS, description="What is on the page: the product, or the cart."
    )
    events: list[LiveEvent] = Field(
        [],
        max_length=MAX_IDS,
        description="What this person just did, used for this answer and not stored. They need no user_id.",
    )
    num_results: int = Field(20, ge=1, le=500)
    exclude_item_ids: list[Id] = Field([], max_length=MAX_IDS, description="Never to be in the list.")
    return_fields: list[str] = Field(
        [], max_length=50, description="Columns of the catalogue to give with each item."
    )


class EventsRequest(BaseModel):
    """Events to store. Each is checked by itself: one that is refused does not lose the others."""

    model_config = ConfigDict(extra="forbid")

    events: list[LiveEvent] = Field(min_length=1, max_length=MAX_IDS)


class BundleName(BaseModel):
    """Which bundle answered."""

    name: str
    version: str


class ReasonGiven(BaseModel):
    """Why an item is in the list."""

    code: str = Field(description="`bought_before`, `goes_with`, `for_you`, `people_alike` or `popular`.")
    text: str
    item_id: str | None = Field(None, description="The item that the text speaks of.")


class RecommendedItem(BaseModel):
    """One place in the list."""

    item_id: str
    rank: int = Field(description="From 1.")
    score: float
    source: str = Field(description="The source that the item owes its place to.")
    reasons: list[ReasonGiven]
    fields: dict[str, Any] = Field(description="The return_fields asked for.")


class RecommendResponse(BaseModel):
    """A list, best first."""

    recommendation_id: str
    bundle: BundleName
    items: list[RecommendedItem]
    requested: int
    returned: int
    shortfall_reason: str | None = Field(None, description="Why there are fewer than requested.")
    fallback_used: str | None = Field(None, description="Why the list is not personal, or what filled it.")
    unknown_item_ids: list[str] = Field(description="Ids of the request that the catalogue does not have.")


class RejectedEvent(BaseModel):
    """An event that was refused."""

    index: int = Field(description="Its place in the request, from 0.")
    field: str
    message: str


class EventsResponse(BaseModel):
    """Accepted means stored: it would survive a power cut. Counted in rows: an event with `items` is one for
    each."""

    accepted: int
    duplicates: int
    rejected: list[RejectedEvent]


class FieldError(BaseModel):
    """One fault of a request."""

    field: str
    message: str


class ProblemDetails(BaseModel):
    """RFC 9457: what every error looks like."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldError] = []
