"""The catalogue that events describe, for exports whose rows name and price their items."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from features.core.columns import ID, ITEM_ID, PRICE, TIMESTAMP
from features.readers.raw_table import FILE, ROW, RawTable, no_rejected


def catalogue_from_events(
    rows: pl.DataFrame, described: Sequence[str], *, where: str, decimal: str = "."
) -> RawTable:
    """One row an item: of each column of `described` the last value by time. A time as text has to sort."""
    frame = (
        rows.filter(pl.col(ITEM_ID).is_not_null())
        .sort(TIMESTAMP, maintain_order=True)
        .group_by(ITEM_ID, maintain_order=True)
        .agg(pl.col(described).drop_nulls().last(), pl.col(FILE, ROW).last())
        .rename({ITEM_ID: ID})
    )
    return RawTable(
        name="items",
        where=where,
        frame=frame,
        rejected=no_rejected(),
        decimal=decimal,
        from_events=(ID, PRICE),
    )
