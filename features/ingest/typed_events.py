"""Raw events with our types. A value that cannot be cast is null, and a column beside it says so."""

from __future__ import annotations

from typing import Final

import polars as pl

from configs.settings.data import DataConfig
from features.core import columns as c
from features.core.categorical import on_distinct
from features.core.ids import are_rounded
from features.core.timestamps import UTC_MICROSECONDS
from features.ingest.casting import (
    as_categorical_ids,
    as_categorical_text,
    as_ids,
    as_numbers,
    as_prices,
    as_text,
    as_timestamps,
)
from features.ingest.currency import with_price_currencies
from features.ingest.value_names import event_types
from features.readers.raw_table import FILE, ROW, RawTable

SCHEMA: Final = {
    c.EVENT_ID: pl.String,
    c.LINE: pl.Int64,
    c.EVENT_TYPE: pl.String,
    c.TIMESTAMP: UTC_MICROSECONDS,
    c.USER_ID: pl.String,
    c.VISITOR_ID: pl.String,
    c.SESSION_ID: pl.String,
    c.ITEM_ID: pl.String,
    c.QUANTITY: pl.Float64,
    c.PRICE: pl.Float64,
    c.CURRENCY: pl.String,
    c.TRANSACTION_ID: pl.String,
}
"""Columns that every table of events has."""

OPTIONAL: Final = {
    "coupon": pl.String,
    "surface": pl.String,
    "position": pl.Int64,
    "recommendation_id": pl.String,
    "search_term": pl.String,
    "rating": pl.Float64,
    "review_text": pl.String,
    "duration_s": pl.Float64,
    "channel": pl.String,
    "device": pl.String,
    "country": pl.String,
    "source": pl.String,
    "medium": pl.String,
    "campaign": pl.String,
    "attributes": pl.String,
}
"""Columns of an event that are kept when the file has them; a value that is not a number becomes null."""

CATEGORICAL = (c.USER_ID, c.VISITOR_ID, c.ITEM_ID, c.SESSION_ID, c.TRANSACTION_ID)
_EVENT_TYPE = pl.Enum(c.EVENT_TYPES)


def typed_events(raw: RawTable, data: DataConfig) -> pl.DataFrame:
    """The columns of the tables with their types, `_bad_<column>` and `_unknown_event_type` beside them. A
    negative quantity is a refund, if so set."""
    return _with_refunds(_typed(raw, data), raw)


def _typed(raw: RawTable, data: DataConfig) -> pl.DataFrame:
    """The columns of the tables with their types. A value that cannot be cast is null, `_bad_<column>`
    true."""
    found = raw.frame.columns
    frame = raw.frame.select(FILE, ROW).with_columns(
        as_ids(raw, c.EVENT_ID) if c.EVENT_ID in found else pl.lit(None, dtype=pl.String).alias(c.EVENT_ID),
        *(
            as_categorical_ids(raw, name) if name in found else pl.lit(None, dtype=pl.Categorical).alias(name)
            for name in CATEGORICAL
        ),
    )
    rounded = [on_distinct(frame[name], are_rounded) for name in CATEGORICAL if name in found]
    rounded.append(are_rounded(frame[c.EVENT_ID]))
    frame = frame.with_columns(_bad_id=pl.any_horizontal(rounded))
    if data.event_type is not None:
        fixed = pl.lit(data.event_type, dtype=_EVENT_TYPE).alias(c.EVENT_TYPE)
        frame = frame.with_columns(fixed, _unknown_event_type=pl.lit(None, dtype=pl.String))
    else:
        frame = frame.with_columns(event_types(raw))
    if data.clock == "ordinal":
        row = pl.int_range(pl.len(), dtype=pl.Int64).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        frame = frame.with_columns(row.alias(c.TIMESTAMP), _bad_timestamp=pl.lit(value=False))
    else:
        frame = frame.with_columns(as_timestamps(raw, c.TIMESTAMP))
    frame = frame.with_columns(
        *as_numbers(raw, c.QUANTITY, whole=False),
        *as_prices(raw, c.PRICE),
        *as_numbers(raw, c.LINE, whole=True),
    )
    for name, dtype in OPTIONAL.items():
        if name in found:
            frame = frame.with_columns(
                as_text(raw, name)
                if dtype == pl.String
                else as_numbers(raw, name, whole=dtype == pl.Int64)[0]
            )
    if c.CURRENCY in found:
        codes = on_distinct(as_categorical_text(raw, c.CURRENCY), lambda text: text.str.to_uppercase())
        return with_price_currencies(frame.with_columns(codes.alias(c.CURRENCY)))
    return with_price_currencies(frame.with_columns(pl.lit(None, dtype=pl.String).alias(c.CURRENCY)))


def _with_refunds(frame: pl.DataFrame, raw: RawTable) -> pl.DataFrame:
    """Purchases and refunds with a negative quantity as refunds of the positive one, if so set."""
    if raw.negative_quantity == "reject":
        return frame
    is_refund = (pl.col(c.QUANTITY) < 0) & pl.col(c.EVENT_TYPE).is_in(("purchase", "refund"))
    return frame.with_columns(
        pl.when(is_refund)
        .then(pl.lit("refund", dtype=_EVENT_TYPE))
        .otherwise(pl.col(c.EVENT_TYPE))
        .alias(c.EVENT_TYPE),
        pl.when(is_refund).then(pl.col(c.QUANTITY).abs()).otherwise(pl.col(c.QUANTITY)).alias(c.QUANTITY),
    )
