"""What goes into the pipeline and what comes out of it: plain data, no HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from features.core.columns import EVENT_TYPE_CODE, MICROSECONDS_PER_DAY
from features.histories import History, IntArray
from features.retriever import Reason
from serving.recommend.list_options import NO_OPTIONS, ListOptions
from serving.recommend.trace import Trace


def no_items() -> IntArray:
    """An empty array of item indices."""
    return np.empty(0, np.int32)


@dataclass(frozen=True)
class Query:
    """One request, with raw ids already turned into catalogue indices."""

    history: History
    """The user's events, oldest first; empty for a stranger."""
    as_of: int
    """Now, in microseconds since 1970 UTC: nothing at or after it is looked at."""
    surface: str = "home"
    page_items: IntArray = field(default_factory=no_items)
    """What is on the page: the product, or the cart."""
    exclude: IntArray = field(default_factory=no_items)
    """Items that must not be in the list."""
    matches: NDArray[np.bool_] | None = None
    """(N,) what the request's filter lets through; None: everything"""
    exclude_purchased_days: float = 0.0
    """What the user purchased in so many days is left out."""
    exclude_viewed_days: float = 0.0
    """What the user viewed in so many days is left out."""
    exclude_cart: bool | None = None
    """Whether what lies in the cart is left out; None: as the surface's `filters` say"""
    num_results: int = 20
    user_attributes: IntArray = field(default_factory=no_items)
    """(A,) codes of what the shop knows of the user, see `Bundle.user_attributes`; empty for nothing."""
    context: Mapping[str, str] = field(default_factory=dict)
    """Where the request comes from: column of an event → value."""
    user: str | None = None
    """The user's key, see `features.core.ids.user_key`; None for a stranger."""
    options: ListOptions = NO_OPTIONS

    def lately(self, event_type: str, *, days: float) -> IntArray:
        """The items of the user's events of a type in the last `days`."""
        if not days:
            return no_items()
        history = self.history
        is_wanted = history.event_types == EVENT_TYPE_CODE[event_type]
        is_late = history.times >= self.as_of - days * MICROSECONDS_PER_DAY
        found: IntArray = history.items[is_wanted & is_late]
        return found

    @property
    def depth(self) -> int:
        """Places of the list down to the last that is wanted."""
        return self.options.offset + self.num_results

    @property
    def is_narrowed(self) -> bool:
        """Whether the request itself says what may not be in the list."""
        return (
            self.matches is not None
            or len(self.exclude) > 0
            or self.exclude_purchased_days > 0
            or self.exclude_viewed_days > 0
            or self.exclude_cart is True
        )

    @property
    def is_stranger(self) -> bool:
        """Whether there is nothing to go by: neither a history nor a page."""
        return not len(self.history) and not len(self.page_items)


@dataclass(slots=True)
class Recommendation:
    """One place in a list. Not frozen, since that doubles the time to make it."""

    item: int
    score: float
    """The ranker's; never above that of the place before where nothing but it decides"""
    source: str
    """The retriever whose reason is named first"""
    reasons: tuple[Reason, ...]
    promotion: str | None = None
    """The promotion that the place belongs to"""
    propensity: float | None = None
    """The probability with which the item was drawn, of a place for exploration"""


@dataclass(frozen=True)
class Answer:
    """A list, best first, and what the caller should know about it."""

    recommendations: tuple[Recommendation, ...]
    requested: int
    shortfall_reason: str | None = None
    """Why there are fewer than `requested`."""
    fallback_used: str | None = None
    """The retriever behind a list that is not personal, or that filled it, and why."""
    has_more: bool = False
    """Whether there is another page"""
    as_of: int = field(default=0, compare=False)
    """The moment of the list, in microseconds since 1970 UTC"""
    trace: Trace | None = None
    """How the list came about; None where the query does not ask"""
