"""Text as small whole numbers: a quarter of the memory, and several times faster to group, sort and join.

A Categorical column holds such numbers, and still reads as text.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from features.core import columns as c
from features.core.ids import who_expr


def code(text: pl.Expr) -> pl.Expr:
    """A number (u32, null where null) that is the same for the same text within this process, and nothing
    more."""
    return text.cast(pl.Categorical).to_physical()


def on_distinct(values: pl.Series, function: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """Apply a function of text to the distinct values of a Categorical column, and spread what it gives over
    the rows."""
    numbers = values.to_physical()
    distinct = values.unique()
    results = function(distinct.cast(pl.String))
    if values.is_empty():
        return results.alias(
            values.name
        )  # with nothing to replace, replace_strict would give the numbers back
    return numbers.replace_strict(distinct.to_physical(), results, return_dtype=results.dtype).alias(
        values.name
    )


def who_coded(events: pl.DataFrame) -> pl.Series:
    """The key of each row's person (`ids.who_key`) as a Categorical column."""
    if not events[c.USER_ID].null_count():
        return events[c.USER_ID].cast(pl.Categorical)
    return (
        events.select(pl.col(c.USER_ID, c.VISITOR_ID).cast(pl.String))
        .select(who_expr().cast(pl.Categorical))
        .to_series()
    )
