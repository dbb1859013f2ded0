"""Names for events whose sender gave none, made from what they say, so that the same event in a newer file has the same name."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

import numpy as np
import polars as pl

from features import columns as c

SENT: Final = "_sent"
"""True where the sender gave the event's id."""

ROWS_AT_ONCE: Final = 500_000
"""Rows whose texts are in memory at a time."""

_SAYS: Final = (c.EVENT_TYPE, c.TIMESTAMP, c.USER_ID, c.VISITOR_ID, c.SESSION_ID, c.ITEM_ID, c.TRANSACTION_ID)


def with_event_ids(events: pl.DataFrame) -> pl.DataFrame:
    """Fill absent event ids, and add the column `SENT`.

    An id is a hash over who did what, when, with which item, and how many rows before said the very same: two equal rows are two
    events. It does not depend on the file's name or on the row's place among others, so files of sales that overlap, or a file
    that was replaced by a newer one, can be imported one after the other: nothing counts twice and nothing is taken for old.
    """
    missing = events[c.EVENT_ID].is_null()
    if not missing.any():
        return events.with_columns(pl.lit(value=True).alias(SENT))
    nameless = (events if missing.all() else events.filter(missing)).select(_SAYS)
    nameless = nameless.with_columns(_equal_rows_before(nameless))
    names = pl.concat([_names(nameless.slice(start, ROWS_AT_ONCE)) for start in range(0, len(nameless), ROWS_AT_ONCE)])
    if missing.all():
        return events.with_columns(names.alias(c.EVENT_ID), pl.lit(value=False).alias(SENT))
    return events.with_columns(events[c.EVENT_ID].scatter(missing.arg_true(), names), (~missing).alias(SENT))


def _equal_rows_before(rows: pl.DataFrame) -> pl.Series:
    """For each row how many before it are the very same, as `before`."""
    hashes = rows.hash_rows()
    ordered = np.sort(hashes.to_numpy())
    repeated = pl.Series(np.unique(ordered[1:][ordered[1:] == ordered[:-1]]))
    before = np.zeros(len(rows), np.int64)
    twins = hashes.is_in(repeated.implode()).arg_true()
    if len(twins):
        before[twins.to_numpy()] = rows[twins].select(pl.int_range(pl.len()).over(rows.columns)).to_series().to_numpy()
    return pl.Series("before", before)


def _names(rows: pl.DataFrame) -> pl.Series:
    parts = [
        (pl.col(name).dt.epoch("us") if name == c.TIMESTAMP else pl.col(name)).cast(pl.String).fill_null("") for name in _SAYS
    ]
    said = rows.select(pl.concat_str([*parts, pl.col("before").cast(pl.String)], separator="\x1f").cast(pl.Binary)).to_series()
    return pl.Series([blake2b(text, digest_size=12).hexdigest() for text in said.to_list()], dtype=pl.String)
