"""Names for events whose sender gave none, made from what they say, so that the same event in a newer file has the same name."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

import polars as pl

from features import columns as c

SENT: Final = "_sent"
"""True where the sender gave the event's id."""

_SAYS: Final = (c.EVENT_TYPE, c.TIMESTAMP, c.USER_ID, c.VISITOR_ID, c.SESSION_ID, c.ITEM_ID, c.TRANSACTION_ID)


def with_event_ids(events: pl.DataFrame) -> pl.DataFrame:
    """Fill absent event ids, and add the column `SENT`.

    An id is a hash over who did what, when, with which item, and how many rows before said the very same: two equal rows are two
    events. It does not depend on the file's name or on the row's place among others, so files of sales that overlap, or a file
    that was replaced by a newer one, can be imported one after the other: nothing counts twice and nothing is taken for old.
    """
    missing = events[c.EVENT_ID].is_null()
    events = events.with_columns((~missing).alias(SENT))
    if not missing.any():
        return events
    parts = [
        (pl.col(name).dt.epoch("us") if name == c.TIMESTAMP else pl.col(name)).cast(pl.String).fill_null("") for name in _SAYS
    ]
    said = events.filter(missing).select(pl.concat_str(parts, separator="\x1f").alias("said"))
    keys = said.select(pl.concat_str(["said", pl.int_range(pl.len()).over("said").cast(pl.String)], separator="\x1f"))
    names = pl.Series([blake2b(key.encode(), digest_size=12).hexdigest() for key in keys.to_series()], dtype=pl.String)
    if missing.all():
        return events.with_columns(names.alias(c.EVENT_ID))
    return events.with_columns(events[c.EVENT_ID].scatter(missing.arg_true(), names))
