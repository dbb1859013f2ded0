"""Which visit an event belongs to, where the shop does not say."""

from __future__ import annotations

import numpy as np
import polars as pl

from features.core import columns as c
from features.core.categorical import who_coded


def with_sessions(events: pl.DataFrame, *, gap_minutes: float) -> pl.DataFrame:
    """Fill absent session_ids: a pause longer than the gap starts a new one. `events` are sorted by time.

    A session is called after the person and the second at which it starts, so that the same events give the
    same names.
    """
    missing = events[c.SESSION_ID].is_null()
    if not missing.any():
        return events
    blank = (events if missing.all() else events.filter(missing)).select(c.USER_ID, c.VISITOR_ID, c.TIMESTAMP)
    who = who_coded(blank)
    numbered = pl.DataFrame({"who": who.to_physical()}).with_row_index("row")
    order = numbered.sort("who", maintain_order=True)[
        "row"
    ].to_numpy()  # each person's events together, by time
    people, times = who.to_physical().to_numpy()[order], blank[c.TIMESTAMP].dt.epoch("us").to_numpy()[order]
    starts = np.ones(len(order), dtype=np.bool_)
    starts[1:] = (people[1:] != people[:-1]) | (np.diff(times) > gap_minutes * 60e6)
    session = np.empty(len(order), np.int64)
    session[order] = np.cumsum(starts) - 1
    seconds = pl.Series(times[starts] // 1_000_000).cast(pl.String)
    names = pl.select(
        pl.concat_str([who[order[starts]].cast(pl.String), pl.lit("@"), seconds]).cast(pl.Categorical)
    ).to_series()
    number = np.zeros(len(events), np.int64)
    number[missing.to_numpy()] = session
    return events.with_columns(pl.coalesce(pl.col(c.SESSION_ID), names.gather(number)).alias(c.SESSION_ID))
