"""Names for events whose sender gave none, made from what they say, so that the same event in a newer file has the same name."""

from __future__ import annotations

from hashlib import shake_256
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features import columns as c

SENT: Final = "_sent"
"""True where the sender gave the event's id."""

ROWS_AT_ONCE: Final = 100_000
"""Rows whose texts are in memory at a time."""

MAX_BYTES: Final = 2048
"""More than what a row can say whose ids are no longer than they may be; what comes after does not count."""

_LANES: Final = 3
_KEYS: Final = np.frombuffer(shake_256(b"shopkeeper event ids").digest(MAX_BYTES // 4 * _LANES * 8), "<u8").reshape(-1, _LANES)
"""(words, 3) fixed random numbers: with others, every made id would change."""

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
    digests = _hash(said).tobytes().hex()
    width = 8 * _LANES
    return pl.Series([digests[start : start + width] for start in range(0, len(digests), width)], dtype=pl.String)


def _hash(texts: pl.Series) -> NDArray[np.uint32]:
    """96 bits of each text, for all rows at once: (rows, 3).

    Multilinear hashing over words of 32 bits (Lemire & Kaser 2014, arXiv:1202.4961): in each of the three, two
    texts agree with a chance of 2^-32. It is fit for files, not against forgers.
    """
    width = min(-(-int(texts.bin.size().max()) // 4) * 4, MAX_BYTES)  # type: ignore[arg-type]
    words = np.array(texts.to_list(), f"S{width}").view("<u4").reshape(len(texts), -1).astype(np.uint64)
    return ((words @ _KEYS[: words.shape[1]]) >> np.uint64(32)).astype("<u4")
