"""Names for events whose sender gave none, made from what they say, so that the same event in a newer file
has the same name."""

from __future__ import annotations

from hashlib import shake_256
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.core import columns as c

SENT: Final = "_sent"
"""True where the sender gave the event's id."""

MAX_BYTES: Final = 256
"""What an id says after so many bytes does not count: a longer one is refused anyway."""

ROWS_AT_ONCE: Final = 200_000
"""Rows, or texts, in memory at a time."""

_SAYS: Final = (c.EVENT_TYPE, c.TIMESTAMP, c.USER_ID, c.VISITOR_ID, c.SESSION_ID, c.ITEM_ID, c.TRANSACTION_ID)


_LANES: Final = 3
_WORDS: Final = MAX_BYTES // 4
_KEYS: Final = np.frombuffer(
    shake_256(b"shopkeeper event ids").digest((len(_SAYS) + 1) * _WORDS * _LANES * 8), "<u8"
).reshape(len(_SAYS) + 1, _WORDS, _LANES)
"""Fixed random numbers for each word of each field: with others, every made id would change."""


def with_event_ids(events: pl.DataFrame) -> pl.DataFrame:
    """Fill absent event ids, and add the column `SENT`.

    An id is a hash over who did what, when, with which item, and how many rows before said the very same: two
    equal rows are two events. It does not depend on the file's name or on the row's place among others, so
    files of sales that overlap, or a file that was replaced by a newer one, can be imported one after the
    other: nothing counts twice and nothing is taken for old.
    """
    missing = events[c.EVENT_ID].is_null()
    if not missing.any():
        return events.with_columns(pl.lit(value=True).alias(SENT))
    nameless = (events if missing.all() else events.filter(missing)).select(_SAYS)
    names = _names(nameless)
    if missing.all():
        return events.with_columns(names.alias(c.EVENT_ID), pl.lit(value=False).alias(SENT))
    return events.with_columns(events[c.EVENT_ID].scatter(missing.arg_true(), names), (~missing).alias(SENT))


def _names(rows: pl.DataFrame) -> pl.Series:
    """24 hex digits for each row, by what it says and how many equal rows stand before it.

    Multilinear hashing (Lemire & Kaser 2014, arXiv:1202.4961) of the row as a record of fields of fixed
    width, in words of 32 bits: in each of the three lanes two records agree with a chance of 2^-32. It is fit
    for files, not against forgers. A record's sum is that of its fields, so a text is read once, however many
    rows hold it.
    """
    before = _equal_rows_before(rows)
    tables = {
        name: _table(rows[name], keys)
        for name, keys in zip(_SAYS, _KEYS, strict=False)
        if name != c.TIMESTAMP
    }
    parts = []
    for start in range(0, len(rows), ROWS_AT_ONCE):
        some = rows.slice(start, ROWS_AT_ONCE)
        microseconds = some[c.TIMESTAMP].dt.epoch("us").fill_null(-1).to_numpy().astype("<i8")
        sums = microseconds.view("<u4").reshape(-1, 2) @ _KEYS[_SAYS.index(c.TIMESTAMP), :2]
        sums += before[start : start + ROWS_AT_ONCE, None] * _KEYS[-1, 0]
        for name, table in tables.items():
            if len(table) > 1:
                sums += table.take(some[name].to_physical().fill_null(len(table) - 1).to_numpy(), axis=0)
        digests = (sums >> np.uint64(32)).astype("<u4").view(np.uint8)
        parts.append(pl.Series(digests).arr.to_list().cast(pl.Binary).bin.encode("hex"))
    return pl.concat(parts)


def _table(texts: pl.Series, keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The sum of each text at its code in the Categorical column; in the last row, for null, nothing: (codes
    + 1, 3)."""
    distinct = texts.unique().drop_nulls()
    codes = distinct.to_physical().cast(pl.Int64).to_numpy()
    table = np.zeros((int(codes.max(initial=-1)) + 2, _LANES), np.uint64)
    table[codes] = _text_sums(distinct.cast(pl.String).cast(pl.Binary), keys)
    return table


def _equal_rows_before(rows: pl.DataFrame) -> NDArray[np.uint64]:
    """For each row how many before it are the very same."""
    hashes = rows.hash_rows()
    ordered = np.sort(hashes.to_numpy())
    repeated = pl.Series(np.unique(ordered[1:][ordered[1:] == ordered[:-1]]))
    before = np.zeros(len(rows), np.uint64)
    twins = hashes.is_in(repeated.implode()).arg_true()
    if len(twins):
        before[twins.to_numpy()] = (
            rows[twins].select(pl.int_range(pl.len()).over(rows.columns)).to_series().to_numpy()
        )
    return before


def _text_sums(texts: pl.Series, keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The sum of each text's words, each times its keys: (texts, 3)."""
    sums = np.empty((len(texts), _LANES), np.uint64)
    for start in range(0, len(texts), ROWS_AT_ONCE):
        some = texts.slice(start, ROWS_AT_ONCE)
        width = min(-(-int(some.bin.size().max()) // 4) * 4, MAX_BYTES)  # type: ignore[arg-type]
        words = np.array(some.to_list(), f"S{width}").view("<u4").reshape(len(some), -1)
        sums[start : start + len(some)] = words @ keys[: words.shape[1]]
    return sums
