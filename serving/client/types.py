# fmt: off
# ruff: noqa: E501
"""The requests and answers of the API.

Made from its OpenAPI document by `python -m scripts.document_client`.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict


class BundleVersion(TypedDict):
    """The bundle that made a list."""
    name: str
    version: str


class CatalogueItem(TypedDict):
    """One item of the catalogue."""
    item_id: str
    fields: dict[str, Any]


class CatalogueItems(TypedDict):
    """Items that match a search, the best-selling first."""
    items: list[CatalogueItem]


class CategoryShare(TypedDict):
    """A category that the user buys from."""
    product_type: str
    share: float
    """Of the weight of the user's target events."""


class EventsRequest(TypedDict):
    """Events to store. Each is checked on its own: a rejected one does not affect the others."""
    events: list[LiveEvent]
    user_token: NotRequired[str | None]


class EventsResponse(TypedDict):
    """Accepted means stored: the events would survive a power cut. Counted in rows: an event with `items` is
    one row for each."""
    accepted: int
    duplicates: int
    rejected: list[RejectedEvent]


class FieldError(TypedDict):
    """One fault of a request."""
    field: str
    message: str


class Item(TypedDict):
    """An item of a bulk upsert."""
    title: NotRequired[str | None]
    description: NotRequired[str | None]
    product_type: NotRequired[str | None]
    """The category's path: `A > B > C`."""
    brand: NotRequired[str | None]
    price: NotRequired[float | None]
    sale_price: NotRequired[float | None]
    cost_of_goods_sold: NotRequired[float | None]
    currency: NotRequired[str | None]
    """Of the prices. Default: the shop's."""
    availability: NotRequired[Literal["in_stock", "out_of_stock", "preorder", "backorder"] | None]
    """What is out_of_stock is in no list."""
    link: NotRequired[str | None]
    image_link: NotRequired[str | None]
    item_group_id: NotRequired[str | None]
    """The variants of one product share it."""
    color: NotRequired[str | None]
    size: NotRequired[str | None]
    material: NotRequired[str | None]
    gender: NotRequired[str | None]
    age_group: NotRequired[str | None]
    availability_date: NotRequired[str | None]
    expiration_date: NotRequired[str | None]
    custom_label_0: NotRequired[str | None]
    custom_label_1: NotRequired[str | None]
    custom_label_2: NotRequired[str | None]
    custom_label_3: NotRequired[str | None]
    custom_label_4: NotRequired[str | None]
    id: str


class ItemFields(TypedDict):
    """What the catalogue says of an item. What is not sent stays as it is; null clears it."""
    title: NotRequired[str | None]
    description: NotRequired[str | None]
    product_type: NotRequired[str | None]
    """The category's path: `A > B > C`."""
    brand: NotRequired[str | None]
    price: NotRequired[float | None]
    sale_price: NotRequired[float | None]
    cost_of_goods_sold: NotRequired[float | None]
    currency: NotRequired[str | None]
    """Of the prices. Default: the shop's."""
    availability: NotRequired[Literal["in_stock", "out_of_stock", "preorder", "backorder"] | None]
    """What is out_of_stock is in no list."""
    link: NotRequired[str | None]
    image_link: NotRequired[str | None]
    item_group_id: NotRequired[str | None]
    """The variants of one product share it."""
    color: NotRequired[str | None]
    size: NotRequired[str | None]
    material: NotRequired[str | None]
    gender: NotRequired[str | None]
    age_group: NotRequired[str | None]
    availability_date: NotRequired[str | None]
    expiration_date: NotRequired[str | None]
    custom_label_0: NotRequired[str | None]
    custom_label_1: NotRequired[str | None]
    custom_label_2: NotRequired[str | None]
    custom_label_3: NotRequired[str | None]
    custom_label_4: NotRequired[str | None]


class ItemReason(TypedDict):
    """Why an item is in the list."""
    code: str
    """`due`, `bought_before`, `chosen_before`, `goes_with`, `similar`, `for_you`, `similar_users`, `deal`,
    `new`, `trending`, `popular_among`, `popular`, `long_tail` or `exploration`."""
    text: str
    item_id: str | None
    """The item that the text is about."""


class ItemStatus(TypedDict):
    """What was done with an item. It is on disk."""
    item_id: str
    status: Literal["added", "changed", "deleted"]
    """`added`: no bundle knew it."""


class ItemsRequest(TypedDict):
    """Items to put: all of them or none."""
    items: list[Item]


class ItemsResponse(TypedDict):
    """The items, in the order of the request."""
    items: list[ItemStatus]


class ListRequest(TypedDict):
    """A list: where on the site it stands, what is on the page, and what may be in it."""
    surface: NotRequired[str]
    """Where the list is shown: a configured surface."""
    item_ids: NotRequired[list[str]]
    """The items on the page: the product, or the cart."""
    num_results: NotRequired[int]
    exclude_item_ids: NotRequired[list[str]]
    """Items that must not be in the list."""
    filter: NotRequired[str | None]
    """A SQL condition over the catalogue's columns; nothing else is in the list."""
    exclude_purchased_days: NotRequired[float]
    """Leave out what the user purchased in the last days."""
    exclude_viewed_days: NotRequired[float]
    """Leave out what the user viewed in the last days."""
    exclude_cart: NotRequired[bool | None]
    """Leave out what lies in the cart. Default: as the surface's filters say."""
    diversity: NotRequired[float | None]
    """How much unlike each other the items are: 0 for the best by score, however alike. Default: the
    surface's."""
    promotions: NotRequired[list[PromotionRequest]]
    """Shares of the places for what matches a condition, the best of it for this user."""
    exploration: NotRequired[float | None]
    """The share of the places, never the first, whose items are drawn by lot with known `propensity`.
    Default: the surface's."""
    return_fields: NotRequired[list[str]]
    """Columns of the catalogue to return with each item."""
    explain: NotRequired[bool]
    """Whether the answer says how the list came about (`trace`)."""
    explain_item_ids: NotRequired[list[str]]
    """Items of which the trace says where they were lost, or at which rank they are."""


class ListTrace(TypedDict):
    """How the list came about."""
    stages: list[TraceStage]
    items: list[TracedItem]
    """Of `explain_item_ids`, in their order."""


class LiveEvent(TypedDict):
    """One user action. `items` holds several items of one event, such as a purchase: each becomes a row."""
    event_type: Literal["page_view", "view_item_list", "select_item", "view_item", "add_to_wishlist", "add_to_cart", "remove_from_cart", "view_cart", "begin_checkout", "purchase", "refund", "search", "view_promotion", "select_promotion", "review", "contact"]
    event_id: NotRequired[str | None]
    """The sender's id: with it a retry counts once. Without it an id is made from the user, type, item and
    timestamp, and of a purchase with a transaction_id from the user, transaction and item. An event without a
    timestamp is a new one each time."""
    line: NotRequired[int]
    """Tells apart two rows of one item in an event with an event_id."""
    timestamp: NotRequired[str | None]
    """Default: now."""
    user_id: NotRequired[str | None]
    visitor_id: NotRequired[str | None]
    session_id: NotRequired[str | None]
    item_id: NotRequired[str | None]
    items: NotRequired[list[LiveItem] | None]
    quantity: NotRequired[float | None]
    price: NotRequired[float | None]
    """Price of one unit."""
    currency: NotRequired[str | None]
    transaction_id: NotRequired[str | None]
    coupon: NotRequired[str | None]
    surface: NotRequired[str | None]
    position: NotRequired[int | None]
    recommendation_id: NotRequired[str | None]
    search_term: NotRequired[str | None]
    rating: NotRequired[float | None]
    review_text: NotRequired[str | None]
    duration_s: NotRequired[float | None]
    channel: NotRequired[str | None]
    device: NotRequired[str | None]
    country: NotRequired[str | None]
    source: NotRequired[str | None]
    medium: NotRequired[str | None]
    campaign: NotRequired[str | None]
    attributes: NotRequired[dict[str, Any] | None]
    """Any other data about the event."""


class LiveItem(TypedDict):
    """One item of an event that has several."""
    item_id: str
    quantity: NotRequired[float | None]
    price: NotRequired[float | None]
    currency: NotRequired[str | None]
    coupon: NotRequired[str | None]
    position: NotRequired[int | None]


class Liveness(TypedDict):
    """The server process answers."""
    status: NotRequired[Literal["alive"]]


class MergeRequest(TypedDict):
    """A visitor who turned out to be a user, by logging in."""
    visitor_id: str
    user_id: str


class MergeResponse(TypedDict):
    """The visitor's events are the user's from now on."""
    user_id: str
    events: int
    """How many there were."""


class PageRequest(TypedDict):
    """Who asks, and for which lists of one page."""
    user_id: NotRequired[str | None]
    """The user. Without user_id and visitor_id: a new visitor."""
    visitor_id: NotRequired[str | None]
    session_id: NotRequired[str | None]
    user_token: NotRequired[str | None]
    events: NotRequired[list[LiveEvent]]
    """What the user just did: used for this answer, and not stored without `record`. No user_id is needed."""
    consent: NotRequired[bool]
    """False: answered from the request alone. Nothing that is stored of the user is read, and nothing is
    stored or kept."""
    validate_only: NotRequired[bool]
    """True: the request is checked, no list is made, and nothing is stored or counted."""
    context: NotRequired[RequestContext | None]
    """Where the request comes from; fills the empty fields of events that are recorded, and somebody without
    events gets what is popular with others from there."""
    record: NotRequired[bool]
    """True: the events are stored, before the answer, as /v1/events does."""
    slots: list[ListRequest]
    """The lists, in the order in which they are filled."""
    order: NotRequired[Literal["request", "value"]]
    """The order of the lists in the answer: the request's, or by what they bring. `value` needs a ranker with
    `ranker.outcomes`; for somebody of whom nothing is known the request's order stays."""


class PageResponse(TypedDict):
    """The lists of one page; no item is in two of them."""
    slots: list[RecommendResponse]
    order: list[int]
    """The place of each list's slot in the request, from 0."""
    values: NotRequired[list[float] | None]
    """What each list brings, where `order` is `value` and the user is known."""
    recorded: NotRequired[RecordedEvents | None]
    """What `record` stored; null without it."""


class ProblemDetails(TypedDict):
    """RFC 9457: the body of every error."""
    title: str
    status: int
    detail: str
    errors: list[FieldError]
    type: NotRequired[str]


class PromotionRequest(TypedDict):
    """What is promoted in a list, and how many of its places it gets."""
    name: str
    """Stands with each item that it placed."""
    filter: str
    """A SQL condition over the catalogue's columns, as in `filter`."""
    share: float
    """Of the places of the list."""


class RankRequest(TypedDict):
    """Who asks, and the items that are to be put in order."""
    user_id: NotRequired[str | None]
    """The user. Without user_id and visitor_id: a new visitor."""
    visitor_id: NotRequired[str | None]
    session_id: NotRequired[str | None]
    user_token: NotRequired[str | None]
    events: NotRequired[list[LiveEvent]]
    """What the user just did: used for this answer, and not stored without `record`. No user_id is needed."""
    consent: NotRequired[bool]
    """False: answered from the request alone. Nothing that is stored of the user is read, and nothing is
    stored or kept."""
    item_ids: list[str]
    """The items of a search or a category page."""


class RankResponse(TypedDict):
    """The items that the catalogue knows, each once, best first."""
    bundle: BundleVersion
    items: list[RankedItem]
    unknown_item_ids: list[str]
    """Item ids of the request that are not in the catalogue."""


class RankedItem(TypedDict):
    """One item in the order of the user."""
    item_id: str
    rank: int
    """From 1."""
    score: float
    """Never above that of the rank before."""


class Readiness(TypedDict):
    """The bundle is loaded and the event store can be read: lists are answered."""
    bundle: str
    version: str
    events: NotRequired[Literal["accepted", "refused"]]
    """Whether an event would be stored now."""
    reason: NotRequired[str | None]
    """Why events are refused."""
    status: NotRequired[Literal["ready"]]
    fallback_reason: NotRequired[str | None]
    refused_bundle: NotRequired[str | None]
    """What is wrong with the present champion; null where it is served."""


class RecommendRequest(TypedDict):
    """Who asks, and for which list."""
    user_id: NotRequired[str | None]
    """The user. Without user_id and visitor_id: a new visitor."""
    visitor_id: NotRequired[str | None]
    session_id: NotRequired[str | None]
    user_token: NotRequired[str | None]
    events: NotRequired[list[LiveEvent]]
    """What the user just did: used for this answer, and not stored without `record`. No user_id is needed."""
    consent: NotRequired[bool]
    """False: answered from the request alone. Nothing that is stored of the user is read, and nothing is
    stored or kept."""
    validate_only: NotRequired[bool]
    """True: the request is checked, no list is made, and nothing is stored or counted."""
    context: NotRequired[RequestContext | None]
    """Where the request comes from; fills the empty fields of events that are recorded, and somebody without
    events gets what is popular with others from there."""
    record: NotRequired[bool]
    """True: the events are stored, before the answer, as /v1/events does."""
    surface: NotRequired[str]
    """Where the list is shown: a configured surface."""
    item_ids: NotRequired[list[str]]
    """The items on the page: the product, or the cart."""
    num_results: NotRequired[int]
    exclude_item_ids: NotRequired[list[str]]
    """Items that must not be in the list."""
    filter: NotRequired[str | None]
    """A SQL condition over the catalogue's columns; nothing else is in the list."""
    exclude_purchased_days: NotRequired[float]
    """Leave out what the user purchased in the last days."""
    exclude_viewed_days: NotRequired[float]
    """Leave out what the user viewed in the last days."""
    exclude_cart: NotRequired[bool | None]
    """Leave out what lies in the cart. Default: as the surface's filters say."""
    diversity: NotRequired[float | None]
    """How much unlike each other the items are: 0 for the best by score, however alike. Default: the
    surface's."""
    promotions: NotRequired[list[PromotionRequest]]
    """Shares of the places for what matches a condition, the best of it for this user."""
    exploration: NotRequired[float | None]
    """The share of the places, never the first, whose items are drawn by lot with known `propensity`.
    Default: the surface's."""
    return_fields: NotRequired[list[str]]
    """Columns of the catalogue to return with each item."""
    explain: NotRequired[bool]
    """Whether the answer says how the list came about (`trace`)."""
    explain_item_ids: NotRequired[list[str]]
    """Items of which the trace says where they were lost, or at which rank they are."""
    cursor: NotRequired[str | None]
    """`*` for the first page of a list that goes on, then the `cursor` of the page before."""


class RecommendResponse(TypedDict):
    """A list, best first."""
    recommendation_id: str
    bundle: BundleVersion
    items: list[RecommendedItem]
    requested: int
    returned: int
    shortfall_reason: str | None
    """Why there are fewer items than requested."""
    fallback_used: str | None
    """The retriever behind a list that is not personal, or that completed it, and why."""
    unknown_item_ids: list[str]
    """Item ids of the request that are not in the catalogue."""
    trace: NotRequired[ListTrace | None]
    """How the list came about, where the request asks."""
    validated: NotRequired[bool]
    """True for `validate_only`: the request is valid, and no list was made."""
    recorded: NotRequired[RecordedEvents | None]
    """What `record` stored; null without it."""
    cursor: NotRequired[str | None]
    """Of the next page, where `cursor` asks for pages; null where the list ends."""


class RecommendedItem(TypedDict):
    """One item of the list."""
    item_id: str
    rank: int
    """From 1."""
    score: float
    """The ranker's. Never above that of the rank before where nothing but it decides."""
    source: str
    """The retriever behind the first reason; `exploration` for what was drawn."""
    reasons: list[ItemReason]
    fields: dict[str, Any]
    """The requested return_fields."""
    promotion: NotRequired[str | None]
    """The promotion that placed it."""
    propensity: NotRequired[float | None]
    """Of an item that was drawn: the probability with which it was, for this place."""


class RecordedEvents(TypedDict):
    """What was stored of the events of a request, counted in rows as by /v1/events."""
    accepted: int
    duplicates: int


class RejectedEvent(TypedDict):
    """An event that was not stored."""
    index: int
    """Its position in the request, from 0."""
    field: str
    message: str


class RequestContext(TypedDict):
    """A flat object: the columns of an event that say where it came from, and whatever else the shop likes to
    keep, as texts, numbers, true or false."""
    channel: NotRequired[str | None]
    device: NotRequired[str | None]
    country: NotRequired[str | None]
    source: NotRequired[str | None]
    medium: NotRequired[str | None]
    campaign: NotRequired[str | None]


class Shop(TypedDict):
    """What this shop offers."""
    surfaces: list[str]
    columns: list[str]
    """The columns of the catalogue."""
    currency: str | None
    """None where the catalogue has several currencies."""
    has_times: bool
    """False with `data.clock: ordinal`: imported events have row numbers as times."""


class ShopUser(TypedDict):
    """A user with events."""
    id: str
    num_events: int
    latest: str
    """Time of the latest event, ISO 8601 in UTC."""


class ShopUsers(TypedDict):
    """Users, the most recently active first."""
    users: list[ShopUser]


class TraceStage(TypedDict):
    """One step on the way to the list."""
    stage: str
    """`retriever`, `first_pass`, `ranker`, `filter`, `fallback`, `promotion`, `exploration` or `list`."""
    name: str | None
    """Which retriever, filter, fallback or promotion."""
    num_items: int
    """Items that it proposed, kept, scored, took away, added, or shows."""


class TracedItem(TypedDict):
    """What became of one of `explain_item_ids`."""
    item_id: str
    stage: str
    """Where it was lost; `list` where it is on the list, `catalogue` where unknown."""
    reason: str
    rank: int | None
    """Its rank on the list."""


class UserEvent(TypedDict):
    """An event, with the title, category and brand of its item from the catalogue."""
    event_type: str
    timestamp: str
    """ISO 8601 in UTC."""
    item_id: str | None
    quantity: float | None
    transaction_id: str | None
    title: str | None
    product_type: str | None
    brand: str | None
    price: float | None
    """Of one unit, as sent with the event."""
    catalogue_price: float | None
    """Of one unit, from the catalogue: the sale price where there is one."""


class UserFields(TypedDict):
    """What the shop knows of a user, and whether they agreed that it is kept."""
    attributes: NotRequired[dict[str, Any] | None]
    """In place of the earlier ones. `shopkeeper events export` writes them."""
    consent: NotRequired[bool | None]
    """false: all that is stored of the user is deleted, and no event of theirs is stored until it is true
    again."""


class UserHistory(TypedDict):
    """The latest events of a user, newest first, and what all of them say."""
    user_id: str
    num_events: int
    """How many item events the log has of this user."""
    events: list[UserEvent]
    attributes: dict[str, Any]
    """What the shop put of the user."""
    profile: UserSummary
    consent: bool | None
    """false where they took it back; null: nothing says so."""


class UserStatus(TypedDict):
    """What was done with a user. It is on disk."""
    user_id: str
    status: Literal["changed", "deleted"]
    consent: bool | None
    """false where they took it back; null: never asked."""
    attributes: dict[str, Any]


class UserSummary(TypedDict):
    """What the stored events say of a user now. Target events are purchases, or what `history.targets` names;
    what was taken back does not count."""
    num_targets: int
    """Target events."""
    num_items: int
    """Distinct items among them."""
    num_baskets: int
    """Orders, or visits with a target event."""
    latest: str | None
    """Time of the latest one, ISO 8601 in UTC."""
    typical_price: float | None
    """Geometric mean of the prices paid."""
    categories: list[CategoryShare]
    """At most 5, the largest share first."""
    cart_item_ids: list[str]
    """What lies in the cart."""
    life_stage: str | None
    """no order, new, active, loyal, at risk or lapsed, as `shopkeeper segments` has it; null without
    times."""
