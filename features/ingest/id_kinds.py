"""Why two tables have no ids in common: an id of each, and what would make them match."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import polars as pl

_CAUSES: Final[dict[str, Callable[[pl.Expr], pl.Expr]]] = {
    "Without leading zeros they match, so one file lost its zeros when it was saved": (
        lambda ids: ids.str.strip_chars_start("0")
    ),
    "They differ in upper and lower case alone": lambda ids: ids.str.to_lowercase(),
}
"""A likely cause → what makes the ids of both sides equal then."""

_ENOUGH: Final = 0.5
"""Share of the ids of the events that must match for a cause to be named."""


def why_ids_differ(in_events: pl.Series, in_table: pl.Series, *, table: str) -> str:
    """A sentence with an id of each side and the likely cause, and the remedy. Both hold text, and some id
    that the other lacks."""
    left = pl.DataFrame({"id": in_events.unique().sort()}).drop_nulls()
    right = pl.DataFrame({"other": in_table.unique().sort()}).drop_nulls()
    for cause, same_form in _CAUSES.items():
        pairs = left.with_columns(same_form(pl.col("id")).alias("key")).join(
            right.with_columns(same_form(pl.col("other")).alias("key")), on="key", maintain_order="left"
        )
        if pairs["id"].n_unique() >= _ENOUGH * len(left):
            different = pairs.filter(pl.col("id") != pl.col("other"))
            if len(different):
                return _sentence(different["id"][0], different["other"][0], table, cause=f"{cause}; s")
    only_in_events = left.join(right, left_on="id", right_on="other", how="anti")
    return _sentence(only_in_events["id"][0], right["other"][0], table, cause="S")


def _sentence(in_events: str, in_table: str, table: str, *, cause: str) -> str:
    return (
        f"the events have ids such as {in_events!r}, the {table} such as {in_table!r}. {cause}ave the ids of "
        "both files as text, from the same column of the shop"
    )
