"""Which visit an event belongs to, where the shop does not say."""

from __future__ import annotations

import numpy as np
import polars as pl

from features import columns as c
from features.codes import code
from features.who import who_expr


def with_sessions(events: pl.DataFrame, *, gap_minutes: float) -> pl.DataFrame:
    """Fill absent session_ids: a pause longer than the gap starts a new one. `events` are sorted by time.

    A session is called after the person and the second at which it starts, so that the same events give the same names.
    """
    missing = events[c.SESSION_ID].is_null()
    if not missing.any():
        return events
    blank = events.filter(missing).select(who_expr().alias("who"), pl.col(c.TIMESTAMP).dt.epoch("us").alias("time"))
    people = blank.select(code(pl.col("who"))).to_series().to_numpy()
    order = np.argsort(people, kind="stable")  # each person's events together, by time
    people, times = people[order], blank["time"].to_numpy()[order]
    starts = np.ones(len(order), dtype=np.bool_)
    starts[1:] = (people[1:] != people[:-1]) | (np.diff(times) > gap_minutes * 60e6)
    begins = np.empty_like(times)
    begins[order] = times[np.maximum.accumulate(np.where(starts, np.arange(len(order)), 0))]
    names = blank.select(pl.concat_str([pl.col("who"), pl.lit("@"), pl.Series(begins // 1_000_000).cast(pl.String)])).to_series()
    if missing.all():
        return events.with_columns(names.alias(c.SESSION_ID))
    return events.with_columns(events[c.SESSION_ID].scatter(missing.arg_true(), names))
