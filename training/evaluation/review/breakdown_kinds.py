"""The breakdowns that a page shows, with the titles of their pictures and tables."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BreakdownKind:
    """One way of breaking the evaluation down."""

    by: str
    """As in `Breakdown.by`"""
    title: str
    """Completes "capped recall …" """
    axis: str
    """Label of the picture's x axis"""
    column: str
    """Header of the table's first column"""
    picture: str
    """Name of the picture's file, without `.png`"""


BREAKDOWN_KINDS = (
    BreakdownKind(
        by="history",
        title="by history length",
        axis="target events of the user before the split point",
        column="target events of the user before the split point",
        picture="by_history_length",
    ),
    BreakdownKind(
        by="popularity",
        title="by item popularity",
        axis="items that the users took: each of the first three bands holds a third of all sales",
        column="items that the users took",
        picture="by_item_popularity",
    ),
    BreakdownKind(
        by="repeat / new",
        title="on repeat and new items",
        axis="items of the user's purchase history alone, and items outside it",
        column="items of the user's purchase history alone, and items outside it",
        picture="by_repeat_or_new",
    ),
)
