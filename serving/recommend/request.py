"""What goes into the pipeline and what comes out of it: plain data, no HTTP."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from features.histories import History, IntArray
from features.retriever import Reason


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
    num_results: int = 20
    user_attributes: IntArray = field(default_factory=no_items)
    """(A,) codes of what the shop knows of the user, see `Bundle.user_attributes`; empty for nothing."""
    user: str | None = None
    """The user's key, see `features.core.ids.user_key`; None for a stranger."""

    @property
    def is_stranger(self) -> bool:
        """Whether there is nothing to go by: neither a history nor a page."""
        return not len(self.history) and not len(self.page_items)


@dataclass(frozen=True)
class Recommendation:
    """One place in a list."""

    item: int
    score: float
    """Never above that of the place before"""
    source: str
    """The retriever whose reason is named first"""
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Answer:
    """A list, best first, and what the caller should know about it."""

    recommendations: tuple[Recommendation, ...]
    requested: int
    shortfall_reason: str | None = None
    """Why there are fewer than `requested`."""
    fallback_used: str | None = None
    """The retriever behind a list that is not personal, or that filled it, and why."""
