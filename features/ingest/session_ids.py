"""Fills absent session_ids of the events table. `features/sessions.py` numbers the sessions of a dataset."""

from __future__ import annotations

import numpy as np
import polars as pl

from features.core import columns as c
from features.core.categorical import user_keys


def with_session_ids(events: pl.DataFrame, *, gap_minutes: float) -> pl.DataFrame:
    """Fill absent session_ids: a pause longer than the gap starts a new session. `events` are sorted by time.

    A session_id is the key of the user and the second at which the session starts, so the same events give
    the same ids.
    """
    missing = events[c.SESSION_ID].is_null()
    if not missing.any():
        return events
    blank = (events if missing.all() else events.filter(missing)).select(c.USER_ID, c.VISITOR_ID, c.TIMESTAMP)
    keys = user_keys(blank)
    users = keys.to_physical()
    order = (
        pl.DataFrame({"user": users})
        .with_row_index("row")
        .sort("user", maintain_order=True)["row"]
        .to_numpy()
    )
    users_by_user, times = users.to_numpy()[order], blank[c.TIMESTAMP].dt.epoch("us").to_numpy()[order]
    starts = np.ones(len(order), dtype=np.bool_)
    starts[1:] = (users_by_user[1:] != users_by_user[:-1]) | (np.diff(times) > gap_minutes * 60e6)
    session = np.empty(len(order), np.int64)
    session[order] = np.cumsum(starts) - 1
    seconds = pl.Series(times[starts] // 1_000_000).cast(pl.String)
    session_ids = pl.select(
        pl.concat_str([keys[order[starts]].cast(pl.String), pl.lit("@"), seconds]).cast(pl.Categorical)
    ).to_series()
    number = np.zeros(len(events), np.int64)
    number[missing.to_numpy()] = session
    return events.with_columns(
        pl.coalesce(pl.col(c.SESSION_ID), session_ids.gather(number)).alias(c.SESSION_ID)
    )
