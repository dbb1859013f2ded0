"""The API's requests and responses, as callers see them in /docs.

Requests are pydantic models, since they must be checked. Responses are dataclasses: the service makes them,
the endpoints declare them as return types, and they are serialized without a second validation. Those of a
list are not frozen, since that triples the time to make fifty of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from features.core.filter_expression import MAX_CHARACTERS
from serving.http.request_context import RequestContext
from serving.http.trace_response import ListTrace
from serving.state.event_fields import Id
from serving.state.live_events import LiveEvent

MAX_LIST_LENGTH: Final = 500
"""Of each list in a request."""

MAX_DAYS: Final = 36_500
MAX_PROMOTIONS: Final = 10
"""Of one list."""

OPTIONS: Final = frozenset({"diversity", "promotions", "exploration", "explain", "explain_item_ids"})
"""Fields of a request that make more of a list than the surface's own."""

MAX_EXPLAINED: Final = 50
"""Items whose way one trace tells."""

MAX_SLOTS: Final = 20
"""Lists of one page."""

MAX_TOKEN_CHARACTERS: Final = 4_096

PERSONAL_HEADERS: Final = {"Cache-Control": "private, no-store"}
"""Of every response about one user."""


Flag = Annotated[bool, Field(strict=True)]
"""true or false, and neither 0 nor "no": what is meant must be plain"""
Number = Annotated[float, Field(strict=True)]

UserToken = Annotated[
    str,
    Field(
        max_length=MAX_TOKEN_CHARACTERS,
        description="With a public key: the back end's word that this is the user (a JSON Web Token, HS256).",
    ),
]
"""With other keys nobody looks at it."""


class UserRequest(BaseModel):
    """Who asks, and what they just did."""

    model_config = ConfigDict(extra="forbid")

    user_id: Id | None = Field(None, description="The user. Without user_id and visitor_id: a new visitor.")
    visitor_id: Id | None = None
    session_id: Id | None = None
    user_token: UserToken | None = None
    events: list[LiveEvent] = Field(
        default_factory=list,
        max_length=MAX_LIST_LENGTH,
        description="What the user just did: used for this answer, and not stored without `record`. No "
        "user_id is needed.",
    )
    consent: Flag = Field(
        True,
        description="False: answered from the request alone. Nothing that is stored of the user is read, and "
        "nothing is stored or kept.",
    )


class PromotionRequest(BaseModel):
    """What is promoted in a list, and how many of its places it gets."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=100, description="Stands with each item that it placed.")
    filter: str = Field(
        max_length=MAX_CHARACTERS, description="A SQL condition over the catalogue's columns, as in `filter`."
    )
    share: Number = Field(ge=0, le=1, description="Of the places of the list.")


class ListsRequest(UserRequest):
    """Who asks for one list or for several, and what else becomes of the request."""

    validate_only: Flag = Field(
        False, description="True: the request is checked, no list is made, and nothing is stored or counted."
    )
    context: RequestContext | None = Field(
        None,
        description="Where the request comes from; fills the empty fields of events that are recorded, and "
        "somebody without events gets what is popular with others from there.",
    )
    record: Flag = Field(
        False,
        description="True: the events are stored, before the answer, as /v1/events does.",
    )


class ListRequest(BaseModel):
    """A list: where on the site it stands, what is on the page, and what may be in it."""

    model_config = ConfigDict(extra="forbid")

    surface: str = Field("home", max_length=100, description="Where the list is shown: a configured surface.")
    item_ids: list[Id] = Field(
        default_factory=list,
        max_length=MAX_LIST_LENGTH,
        description="The items on the page: the product, or the cart.",
    )
    num_results: int = Field(20, ge=1, le=500)
    exclude_item_ids: list[Id] = Field(
        default_factory=list, max_length=MAX_LIST_LENGTH, description="Items that must not be in the list."
    )
    filter: str | None = Field(
        None,
        max_length=MAX_CHARACTERS,
        description="A SQL condition over the catalogue's columns; nothing else is in the list.",
        examples=["product_type like 'Garden%' and price between 10 and 50"],
    )
    exclude_purchased_days: Number = Field(
        0, ge=0, le=MAX_DAYS, description="Leave out what the user purchased in the last days."
    )
    exclude_viewed_days: Number = Field(
        0, ge=0, le=MAX_DAYS, description="Leave out what the user viewed in the last days."
    )
    exclude_cart: Flag | None = Field(
        None, description="Leave out what lies in the cart. Default: as the surface's filters say."
    )
    diversity: Number | None = Field(
        None,
        ge=0,
        le=1,
        description="How much unlike each other the items are: 0 for the best by score, however alike. "
        "Default: the surface's.",
    )
    promotions: list[PromotionRequest] = Field(
        default_factory=list,
        max_length=MAX_PROMOTIONS,
        description="Shares of the places for what matches a condition, the best of it for this user.",
    )
    exploration: Number | None = Field(
        None,
        ge=0,
        le=1,
        description="The share of the places, never the first, whose items are drawn by lot with known "
        "`propensity`. Default: the surface's.",
    )
    return_fields: list[str] = Field(
        default_factory=list, max_length=50, description="Columns of the catalogue to return with each item."
    )
    explain: Flag = Field(False, description="Whether the answer says how the list came about (`trace`).")
    explain_item_ids: list[Id] = Field(
        default_factory=list,
        max_length=MAX_EXPLAINED,
        description="Items of which the trace says where they were lost, or at which rank they are.",
    )

    @property
    def wants_trace(self) -> bool:
        """Whether the answer has a trace, which only a private key may ask for."""
        return self.explain or len(self.explain_item_ids) > 0


class RecommendRequest(ListRequest, ListsRequest):
    """Who asks, and for which list."""

    cursor: str | None = Field(
        None,
        max_length=100,
        description="`*` for the first page of a list that goes on, then the `cursor` of the page before.",
    )

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "user_id": "1234",
                "surface": "home",
                "num_results": 5,
                "return_fields": ["title", "price"],
            }
        },
    )


class PageRequest(ListsRequest):
    """Who asks, and for which lists of one page."""

    slots: list[ListRequest] = Field(
        min_length=1, max_length=MAX_SLOTS, description="The lists, in the order in which they are filled."
    )
    order: Literal["request", "value"] = Field(
        "request",
        description="The order of the lists in the answer: the request's, or by what they bring. `value` "
        "needs a ranker with `ranker.outcomes`; for somebody of whom nothing is known the request's "
        "order stays.",
    )


class RankRequest(UserRequest):
    """Who asks, and the items that are to be put in order."""

    item_ids: list[Id] = Field(
        min_length=1, max_length=MAX_LIST_LENGTH, description="The items of a search or a category page."
    )


class EventsRequest(BaseModel):
    """Events to store. Each is checked on its own: a rejected one does not affect the others."""

    model_config = ConfigDict(extra="forbid")

    events: list[LiveEvent] = Field(min_length=1, max_length=MAX_LIST_LENGTH)
    user_token: UserToken | None = None


@dataclass(frozen=True, slots=True)
class BundleVersion:
    """The bundle that made a list."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class RecordedEvents:
    """What was stored of the events of a request, counted in rows as by /v1/events."""

    accepted: int
    duplicates: int


@dataclass(slots=True)
class ItemReason:
    """Why an item is in the list."""

    code: Annotated[
        str,
        Field(
            description=(
                "`due`, `bought_before`, `chosen_before`, `goes_with`, `similar`, `for_you`, "
                "`similar_users`, `deal`, `new`, `trending`, `popular_among`, `popular`, `long_tail` or "
                "`exploration`."
            )
        ),
    ]
    text: str
    item_id: Annotated[str | None, Field(description="The item that the text is about.")]


@dataclass(slots=True)
class RecommendedItem:
    """One item of the list."""

    item_id: str
    rank: Annotated[int, Field(description="From 1.")]
    score: Annotated[
        float,
        Field(description="The ranker's. Never above that of the rank before where nothing but it decides."),
    ]
    source: Annotated[
        str, Field(description="The retriever behind the first reason; `exploration` for what was drawn.")
    ]
    reasons: list[ItemReason]
    fields: Annotated[dict[str, Any], Field(description="The requested return_fields.")]
    promotion: Annotated[str | None, Field(description="The promotion that placed it.")] = None
    propensity: Annotated[
        float | None,
        Field(description="Of an item that was drawn: the probability with which it was, for this place."),
    ] = None


@dataclass(slots=True)
class RecommendResponse:
    """A list, best first."""

    recommendation_id: str
    bundle: BundleVersion
    items: list[RecommendedItem]
    requested: int
    returned: int
    shortfall_reason: Annotated[str | None, Field(description="Why there are fewer items than requested.")]
    fallback_used: Annotated[
        str | None,
        Field(description="The retriever behind a list that is not personal, or that completed it, and why."),
    ]
    unknown_item_ids: Annotated[
        list[str], Field(description="Item ids of the request that are not in the catalogue.")
    ]
    trace: Annotated[
        ListTrace | None, Field(description="How the list came about, where the request asks.")
    ] = None
    validated: Annotated[
        bool, Field(description="True for `validate_only`: the request is valid, and no list was made.")
    ] = False
    recorded: Annotated[
        RecordedEvents | None, Field(description="What `record` stored; null without it.")
    ] = None
    cursor: Annotated[
        str | None,
        Field(description="Of the next page, where `cursor` asks for pages; null where the list ends."),
    ] = None


@dataclass(slots=True)
class PageResponse:
    """The lists of one page; no item is in two of them."""

    slots: list[RecommendResponse]
    order: Annotated[list[int], Field(description="The place of each list's slot in the request, from 0.")]
    values: Annotated[
        list[float] | None,
        Field(description="What each list brings, where `order` is `value` and the user is known."),
    ] = None
    recorded: Annotated[
        RecordedEvents | None, Field(description="What `record` stored; null without it.")
    ] = None


@dataclass(frozen=True, slots=True)
class RankedItem:
    """One item in the order of the user."""

    item_id: str
    rank: Annotated[int, Field(description="From 1.")]
    score: Annotated[float, Field(description="Never above that of the rank before.")]


@dataclass(frozen=True, slots=True)
class RankResponse:
    """The items that the catalogue knows, each once, best first."""

    bundle: BundleVersion
    items: list[RankedItem]
    unknown_item_ids: Annotated[
        list[str], Field(description="Item ids of the request that are not in the catalogue.")
    ]


@dataclass(frozen=True, slots=True)
class RejectedEvent:
    """An event that was not stored."""

    index: Annotated[int, Field(description="Its position in the request, from 0.")]
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class EventsResponse:
    """Accepted means stored: the events would survive a power cut. Counted in rows: an event with `items` is
    one row for each."""

    accepted: int
    duplicates: int
    rejected: list[RejectedEvent]


@dataclass(frozen=True, slots=True)
class Liveness:
    """The server process answers."""

    status: Literal["alive"] = "alive"


@dataclass(frozen=True, slots=True)
class Readiness:
    """The bundle is loaded and the event store can be read: lists are answered."""

    bundle: str
    version: str
    events: Annotated[
        Literal["accepted", "refused"], Field(description="Whether an event would be stored now.")
    ] = "accepted"
    reason: Annotated[str | None, Field(description="Why events are refused.")] = None
    status: Literal["ready"] = "ready"
    fallback_reason: str | None = None
    """Why another bundle is served than the one that was asked for; null otherwise."""
    refused_bundle: Annotated[
        str | None, Field(description="What is wrong with the present champion; null where it is served.")
    ] = None


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault of a request."""

    field: str
    message: str


@dataclass(frozen=True, slots=True)
class ProblemDetails:
    """RFC 9457: the body of every error."""

    title: str
    status: int
    detail: str
    errors: list[FieldError]
    type: str = "about:blank"
