"""A trace: what each stage did to a list, and where single items were lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """One step on the way to a list."""

    stage: str
    """`retriever`, `first_pass`, `ranker`, `filter`, `fallback`, `promotion`, `exploration` or `list`"""
    name: str | None
    """Which retriever, filter, fallback or promotion"""
    num_items: int
    """Candidates that it proposed, kept, scored, took away, added, or shows"""


@dataclass(frozen=True)
class ItemTrace:
    """What became of one item."""

    stage: str
    """Where it was lost: one of the names of `Stage`, or `diversity`; `list` where it was not"""
    reason: str
    rank: int | None = None
    """On the list, from 1"""


@dataclass(frozen=True)
class Trace:
    """The stages in their order, and the items that were asked for."""

    stages: tuple[Stage, ...]
    items: Mapping[int, ItemTrace]
