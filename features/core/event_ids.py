"""Event ids for events without one: a hash of what the event says, the same in files and live.

The key of a row of an event, by which duplicates are known in files, imports and live events alike, is
(event_id, event_type, item_id, line). No part of it depends on the order of rows.
"""

from __future__ import annotations

from hashlib import shake_256
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.core import columns as c

SENT: Final = "_sent"
"""Name of a column: true where the file gave the event's id."""

MAX_BYTES: Final = 256
"""Bytes of a text that are hashed. Longer ids are rejected anyway."""

ROWS_AT_ONCE: Final = 200_000
"""Rows, or texts, processed at a time."""

_HASHED: Final = (
    c.EVENT_TYPE,
    c.TIMESTAMP,
    c.USER_ID,
    c.VISITOR_ID,
    c.ITEM_ID,
    c.TRANSACTION_ID,
)
"""Of an order (see `is_order`) the time does not count, and of a row with a user_id the visitor_id does
not."""

_LANES: Final = 3
_WORDS: Final = MAX_BYTES // 4
_KEYS: Final = np.frombuffer(
    shake_256(b"shopkeeper event ids").digest((len(_HASHED) + 1) * _WORDS * _LANES * 8), "<u8"
).reshape(len(_HASHED) + 1, _WORDS, _LANES)
"""Fixed random numbers for each word of each field. Changing them changes every id made here."""
_TIME_KEYS: Final = _KEYS[_HASHED.index(c.TIMESTAMP), :2]
_PURCHASE: Final = "purchase"


def is_order() -> pl.Expr:
    """Whether a row is of an order: a purchase with a transaction_id. Without an event_id its key is the
    user, the transaction and the item, so that a reloaded page or a second export is no second purchase."""
    return (pl.col(c.EVENT_TYPE) == _PURCHASE) & pl.col(c.TRANSACTION_ID).is_not_null()


def with_event_ids(events: pl.DataFrame, *, has_times: bool = True) -> pl.DataFrame:
    """Fill absent event ids, and add the column `SENT`.

    An id is a hash of the user, event type, time, item and transaction, and of the number of equal rows
    before: two equal rows are two events. It does not depend on the name of the file or on the position of
    the row, so files of sales that overlap can be imported one after the other: no event counts twice and
    none is lost.

    Of an order the time does not count, but rows of one item at one time are lines of the order, each with an
    id of its own. `has_times`: false where times are the positions of the rows.
    """
    missing = events[c.EVENT_ID].is_null()
    if not missing.any():
        return events.with_columns(pl.lit(value=True).alias(SENT))
    without_id = (events if missing.all() else events.filter(missing)).select(_HASHED)
    ids = _row_hashes(without_id, has_times=has_times)
    if missing.all():
        return events.with_columns(ids.alias(c.EVENT_ID), pl.lit(value=False).alias(SENT))
    return events.with_columns(events[c.EVENT_ID].scatter(missing.arg_true(), ids), (~missing).alias(SENT))


def event_id_of(
    *,
    event_type: str,
    timestamp: int | None,
    user_id: str | None,
    visitor_id: str | None,
    item_id: str | None,
    transaction_id: str | None,
    equal_before: int = 0,
) -> str | None:
    """The id that `with_event_ids` makes for one event; None for an event that nothing tells from the next:
    one without a time that is no order. `timestamp` in microseconds since 1970 UTC."""
    if event_type == _PURCHASE and transaction_id is not None:
        timestamp = None
    elif timestamp is None:
        return None
    visitor_id = visitor_id if user_id is None else None
    sums = np.full(_LANES, equal_before, np.uint64) * _KEYS[-1, 0]
    sums += _time_words(np.array([-1 if timestamp is None else timestamp]))[0] @ _TIME_KEYS
    texts = (event_type, None, user_id, visitor_id, item_id, transaction_id)
    for text, keys in zip(texts, _KEYS, strict=False):
        if text is not None:
            encoded = text.encode()[:MAX_BYTES]
            words = np.frombuffer(encoded.ljust(-(-len(encoded) // 4) * 4, b"\0"), "<u4")
            sums += words @ keys[: len(words)]
    digest: bytes = (sums >> np.uint64(32)).astype("<u4").tobytes()
    return digest.hex()


def _row_hashes(rows: pl.DataFrame, *, has_times: bool) -> pl.Series:
    """24 hex digits for each row: a hash of its fields and of the number of equal rows before it.

    Multilinear hashing (Lemire & Kaser 2014, arXiv:1202.4961) of the row as a record of fields of fixed
    width, in words of 32 bits: in each of the three lanes two different records collide with a probability of
    2^-32. It is not safe against forged rows. The sum of a record is the sum over its fields, so each
    distinct text is hashed once.
    """
    rows = rows.with_columns(pl.when(pl.col(c.USER_ID).is_null()).then(c.VISITOR_ID).alias(c.VISITOR_ID))
    timeless = rows.with_columns(pl.when(~is_order().fill_null(value=False)).then(c.TIMESTAMP))
    before = _equal_rows_before(rows if has_times else timeless)
    rows = timeless
    tables = {
        name: _table(rows[name], keys)
        for name, keys in zip(_HASHED, _KEYS, strict=False)
        if name != c.TIMESTAMP
    }
    parts = []
    for start in range(0, len(rows), ROWS_AT_ONCE):
        some = rows.slice(start, ROWS_AT_ONCE)
        microseconds = some[c.TIMESTAMP].dt.epoch("us").fill_null(-1).to_numpy()
        sums = _time_words(microseconds) @ _TIME_KEYS
        sums += before[start : start + ROWS_AT_ONCE, None] * _KEYS[-1, 0]
        for name, table in tables.items():
            if len(table) > 1:
                sums += table.take(some[name].to_physical().fill_null(len(table) - 1).to_numpy(), axis=0)
        digests = (sums >> np.uint64(32)).astype("<u4").view(np.uint8)
        parts.append(pl.Series(digests).arr.to_list().cast(pl.Binary).bin.encode("hex"))
    return pl.concat(parts)


def _time_words(microseconds: NDArray[np.int64]) -> NDArray[np.uint32]:
    """(times, 2): each time as two words."""
    return microseconds.astype("<i8").view("<u4").reshape(-1, 2)


def _table(texts: pl.Series, keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """(codes + 1, 3): the hash sum of each text, by its code in the Categorical column; the last row, for
    null, is 0."""
    distinct = texts.unique().drop_nulls()
    codes = distinct.to_physical().cast(pl.Int64).to_numpy()
    table = np.zeros((int(codes.max(initial=-1)) + 2, _LANES), np.uint64)
    table[codes] = _text_sums(distinct.cast(pl.String).cast(pl.Binary), keys)
    return table


def _equal_rows_before(rows: pl.DataFrame) -> NDArray[np.uint64]:
    """The number of equal rows before each row."""
    hashes = rows.hash_rows()
    ordered = np.sort(hashes.to_numpy())
    repeated = pl.Series(np.unique(ordered[1:][ordered[1:] == ordered[:-1]]))
    before = np.zeros(len(rows), np.uint64)
    repeats = hashes.is_in(repeated.implode()).arg_true()
    if len(repeats):
        before[repeats.to_numpy()] = (
            rows[repeats].select(pl.int_range(pl.len()).over(rows.columns)).to_series().to_numpy()
        )
    return before


def _text_sums(texts: pl.Series, keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """(texts, 3): the sum over the words of each text, each multiplied by its keys."""
    sums = np.empty((len(texts), _LANES), np.uint64)
    for start in range(0, len(texts), ROWS_AT_ONCE):
        some = texts.slice(start, ROWS_AT_ONCE)
        width = min(-(-int(some.bin.size().max()) // 4) * 4, MAX_BYTES)  # type: ignore[arg-type]
        words = np.array(some.to_list(), f"S{width}").view("<u4").reshape(len(some), -1)
        sums[start : start + len(some)] = words @ keys[: words.shape[1]]
    return sums
