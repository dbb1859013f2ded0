"""Text columns as Polars Categoricals: a quarter of the memory, and faster to group, sort and join."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from features.core import columns as c
from features.core.ids import user_key_expr


def categorical_code(text: pl.Expr) -> pl.Expr:
    """The code (u32, null where null) of a text: equal texts have equal codes, in this process only."""
    return text.cast(pl.Categorical).to_physical()


def on_distinct(values: pl.Series, function: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """Apply a function of text to the distinct values of a Categorical column: one result a row."""
    numbers = values.to_physical()
    distinct = values.unique()
    results = function(distinct.cast(pl.String))
    if values.is_empty():  # replace_strict with nothing to replace would return the numbers
        return results.alias(values.name)
    return numbers.replace_strict(distinct.to_physical(), results, return_dtype=results.dtype).alias(
        values.name
    )


def user_keys(events: pl.DataFrame) -> pl.Series:
    """The key of each row's user (`ids.user_key`) as a Categorical column."""
    if not events[c.USER_ID].null_count():
        return events[c.USER_ID].cast(pl.Categorical)
    return (
        events.select(pl.col(c.USER_ID, c.VISITOR_ID).cast(pl.String))
        .select(user_key_expr().cast(pl.Categorical))
        .to_series()
    )
