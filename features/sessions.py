"""Which visit an event belongs to, where the shop does not say."""

from __future__ import annotations

import polars as pl

from features import columns as c
from features.who import who_expr


def with_sessions(events: pl.DataFrame, *, gap_minutes: float) -> pl.DataFrame:
    """Fill absent session_ids: a pause longer than the gap starts a new one. `events` are sorted by time.

    A session is called after the person and the second at which it starts, so that the same events give the same names.
    """
    missing = pl.col(c.SESSION_ID).is_null()
    if not events.select(missing.any()).item():
        return events
    pause = pl.col(c.TIMESTAMP).diff().over("_who")
    starts = (pause.is_null() | (pause > pl.duration(microseconds=round(gap_minutes * 60e6)))).fill_null(value=True)
    begin = pl.when(starts).then(pl.col(c.TIMESTAMP).dt.epoch("s")).forward_fill().over("_who").cast(pl.String)
    blank = events.with_row_index("_order").filter(missing).with_columns(who_expr().alias("_who"))
    made = blank.select("_order", pl.concat_str([pl.col("_who"), pl.lit("@"), begin]).alias("_made"))
    joined = events.with_row_index("_order").join(made, on="_order", how="left", maintain_order="left")
    return joined.with_columns(pl.col(c.SESSION_ID).fill_null(pl.col("_made"))).drop("_order", "_made")
