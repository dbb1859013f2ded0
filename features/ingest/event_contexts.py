"""Where events came from, as one small code an event: country, channel, device and campaign together.

Shops have few combinations of them, so that two bytes an event keep all four.
"""

from __future__ import annotations

from typing import Final

import polars as pl

CONTEXT_COLUMNS: Final = ("country", "channel", "device", "campaign")
CONTEXT: Final = "context"
MAX_CONTEXTS: Final = 65_535
"""The combinations that are kept, those with the most events; the others are as unknown."""


def context_table(events: pl.LazyFrame) -> pl.DataFrame:
    """One row a combination, the most frequent first: its place is its code less 1. A column with one value
    tells nothing apart and is left out; without any the table is empty."""
    columns = [name for name in CONTEXT_COLUMNS if name in events.collect_schema().names()]
    if not columns:
        return pl.DataFrame()
    counts = events.group_by(pl.col(columns).cast(pl.String)).len().collect()
    columns = [name for name in columns if counts[name].drop_nulls().n_unique() > 1]
    if not columns:
        return pl.DataFrame()
    known = counts.filter(pl.any_horizontal(pl.col(columns).is_not_null()))
    by_columns = known.group_by(columns).agg(pl.col("len").sum())
    order = by_columns.sort("len", *columns, descending=[True, *[False] * len(columns)])
    return order.head(MAX_CONTEXTS).drop("len")


def with_contexts(events: pl.LazyFrame, table: pl.DataFrame) -> pl.LazyFrame:
    """The events with the code of each one's combination, 0 for none; in their order."""
    if not table.width:
        return events.with_columns(pl.lit(0, dtype=pl.UInt16).alias(CONTEXT))
    codes = table.with_columns(pl.int_range(1, pl.len() + 1, dtype=pl.UInt16).alias(CONTEXT))
    texts = events.with_columns(pl.col(table.columns).cast(pl.String))
    joined = texts.join(codes.lazy(), on=table.columns, how="left", nulls_equal=True, maintain_order="left")
    return joined.with_columns(pl.col(CONTEXT).fill_null(0))
