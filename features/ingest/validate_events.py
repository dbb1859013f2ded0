"""Raw events → valid events, and the rejected rows with their reasons."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from configs.exceptions import DataError
from configs.schema import DataConfig, PrepareConfig
from features.core import columns as c
from features.core.categorical import on_distinct
from features.core.timestamps import UTC_MICROSECONDS
from features.ingest.casting import as_categorical_ids, as_ids, as_numbers, as_timestamps
from features.ingest.currency import shop_currency, to_shop_currency
from features.ingest.event_ids import SENT, with_event_ids
from features.ingest.session_ids import with_session_ids
from features.ingest.value_names import event_types, unknown_value_rules, without_ignored
from features.readers.raw_table import FILE, ROW, RawTable, rejected_rows

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

_CATEGORICAL = (c.USER_ID, c.VISITOR_ID, c.ITEM_ID, c.SESSION_ID, c.TRANSACTION_ID)
_EVENT_TYPE = pl.Enum(c.EVENT_TYPES)
_MAX_AHEAD = timedelta(days=1)
_NEGATIVE: Final = "quantity is negative: data.negative_quantity=refund makes that a refund"


@dataclass(frozen=True)
class ValidEvents:
    """A validated events table."""

    events: pl.DataFrame
    """Valid rows by time. Ids other than event_id are Categorical, event_type is an Enum."""
    rejected: pl.DataFrame
    num_rows: int
    """Rows found in the files."""
    dropped: dict[str, int] = field(default_factory=dict)
    """Valid rows left out on purpose, by reason."""
    unused_columns: tuple[str, ...] = ()
    currency: str | None = None


def validate_events(
    raw: RawTable,
    *,
    data: DataConfig,
    prepare: PrepareConfig,
    now: datetime,
    no_consent: pl.Series | None = None,
) -> ValidEvents:
    """Cast, check and complete the events.

    `now` (with a time zone) decides which timestamps lie in the future. `no_consent`: ids of users whose
    events are left out. Raises DataError when a required column is missing or has the wrong type, or when the
    shop's currency is not clear.
    """
    _require_columns(raw, data)
    num_rows = raw.num_rows
    raw, ignored = without_ignored(raw)
    raw, without_consent = _without_no_consent(raw, no_consent)
    frame = with_event_ids(_with_refunds(_typed(raw, data), raw))
    if data.shift_to_today:
        frame = _shifted(frame, now)
    currency = shop_currency(frame, prepare)
    unknown_types = unknown_value_rules(
        frame["_unknown_event_type"],
        setting="data.event_types" if raw.event_types is not None else None,
        choices=("one of ours", "ignore"),
    )
    rules = _rules(
        data=data, now=now, currency=currency, rates=prepare.exchange_rates, unknown_types=unknown_types
    )
    bad = frame.select(pl.any_horizontal(rule.fill_null(value=False) for rule in rules.values())).to_series()
    rejected = pl.concat([raw.rejected, _rejected(raw, frame, bad, rules)]) if bad.any() else raw.rejected
    good = to_shop_currency(frame.filter(~bad) if bad.any() else frame, currency, prepare.exchange_rates)
    del frame  # frees a copy of all events
    unique = _deduplicated(good)
    events = unique.sort(c.TIMESTAMP, maintain_order=True)
    if data.clock == "real":
        events = with_session_ids(events, gap_minutes=prepare.session_gap_minutes)
    known = {*_SCHEMA, *OPTIONAL, FILE, ROW}
    return ValidEvents(
        events=events.select([*_SCHEMA, *(name for name in OPTIONAL if name in events.columns)]),
        rejected=rejected,
        num_rows=num_rows,
        dropped={
            **raw.dropped,
            **ignored,
            "duplicate event": len(good) - len(unique),
            "user without consent": without_consent,
        },
        unused_columns=tuple(raw.name_in_file(name) for name in raw.frame.columns if name not in known),
        currency=currency,
    )


_SCHEMA: Final = {
    c.EVENT_ID: pl.String,
    c.LINE: pl.Int64,
    c.EVENT_TYPE: pl.String,
    c.TIMESTAMP: UTC_MICROSECONDS,
    c.USER_ID: pl.String,
    c.VISITOR_ID: pl.String,
    c.SESSION_ID: pl.String,
    c.ITEM_ID: pl.String,
    c.QUANTITY: pl.Int64,
    c.PRICE: pl.Float64,
    c.CURRENCY: pl.String,
    c.TRANSACTION_ID: pl.String,
}


def _require_columns(raw: RawTable, data: DataConfig) -> None:
    needed = [c.ITEM_ID]
    if data.clock == "real":
        needed.append(c.TIMESTAMP)
    if data.event_type is None:
        needed.append(c.EVENT_TYPE)
    if c.VISITOR_ID not in raw.frame.columns:
        needed.append(c.USER_ID)
    missing = [name for name in needed if name not in raw.frame.columns]
    if not missing:
        return
    example = ", ".join(f"{name}: <your column>" for name in missing)
    hint = (
        " If all events are of one type, set data.event_type instead (a file of sales: purchase)."
        if c.EVENT_TYPE in missing
        else ""
    )
    clock = " If the file has no times, set data.clock=ordinal." if c.TIMESTAMP in missing else ""
    raise DataError(
        f"{raw.where}: no column {', '.join(map(repr, missing))}. The columns found are: "
        f"{', '.join(raw.found)}. Name yours in the configuration: data.event_columns: "
        f"{{{example}}}.{hint}{clock}"
    )


def _without_no_consent(raw: RawTable, no_consent: pl.Series | None) -> tuple[RawTable, int]:
    """(the table without the rows of users who did not consent, the number of those rows)"""
    if no_consent is None or no_consent.is_empty() or c.USER_ID not in raw.frame.columns:
        return raw, 0
    is_theirs = as_ids(raw, c.USER_ID).is_in(no_consent.implode()).fill_null(value=False)
    return replace(raw, frame=raw.frame.filter(~is_theirs)), int(is_theirs.sum())


def _typed(raw: RawTable, data: DataConfig) -> pl.DataFrame:
    """The columns of the tables with their types. A value that cannot be cast is null, `_bad_<column>`
    true."""
    found = raw.frame.columns
    frame = raw.frame.select(FILE, ROW).with_columns(
        as_ids(raw, c.EVENT_ID) if c.EVENT_ID in found else pl.lit(None, dtype=pl.String).alias(c.EVENT_ID),
        *(
            as_categorical_ids(raw, name) if name in found else pl.lit(None, dtype=pl.Categorical).alias(name)
            for name in _CATEGORICAL
        ),
    )
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
    for name, whole in ((c.QUANTITY, True), (c.PRICE, False), (c.LINE, True)):
        frame = frame.with_columns(as_numbers(raw, name, whole=whole))
    for name, dtype in OPTIONAL.items():
        if name in found:
            text = as_ids(raw, name)
            frame = frame.with_columns(
                text if dtype == pl.String else as_numbers(raw, name, whole=dtype == pl.Int64)[0]
            )
    if c.CURRENCY not in found:
        return frame.with_columns(pl.lit(None, dtype=pl.String).alias(c.CURRENCY))
    return frame.with_columns(
        on_distinct(as_categorical_ids(raw, c.CURRENCY), lambda text: text.str.to_uppercase()).alias(
            c.CURRENCY
        )
    )


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


def _shifted(frame: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """Move all times by whole days, so that the last event lies within the 24 hours before `now`."""
    last = frame[c.TIMESTAMP].max()
    if not isinstance(last, datetime):
        return frame
    return frame.with_columns(pl.col(c.TIMESTAMP) + timedelta(days=(now - last) // timedelta(days=1)))


def _rejected(raw: RawTable, frame: pl.DataFrame, bad: pl.Series, rules: dict[str, pl.Expr]) -> pl.DataFrame:
    """The bad rows, each with the first rule that it breaks as the reason."""
    first = pl.coalesce(
        [pl.when(broken.fill_null(value=False)).then(pl.lit(words)) for words, broken in rules.items()]
    )
    return rejected_rows(
        replace(raw, frame=raw.frame.filter(bad)), frame.filter(bad).select(first.alias("reason")).to_series()
    )


def _rules(
    *,
    data: DataConfig,
    now: datetime,
    currency: str | None,
    rates: dict[str, float],
    unknown_types: dict[str, pl.Expr],
) -> dict[str, pl.Expr]:
    """Reason for rejection → whether a row is rejected for it."""
    too_long = [pl.col(name).cat.len_bytes() > c.MAX_ID_BYTES for name in _CATEGORICAL]
    too_long.append(pl.col(c.EVENT_ID).str.len_bytes() > c.MAX_ID_BYTES)
    nested = [pl.col(name).cat.starts_with(start) for name in _CATEGORICAL for start in c.NESTED_STARTS]
    future = pl.col(c.TIMESTAMP) > now + _MAX_AHEAD if data.clock == "real" else pl.lit(value=False)
    known = [code for code in (currency, *rates) if code]
    return {
        "timestamp is not understood": pl.col("_bad_timestamp"),
        "timestamp is missing": pl.col(c.TIMESTAMP).is_null(),
        "timestamp is more than a day ahead": future,
        "timestamp is before 1970": pl.col(c.TIMESTAMP).dt.epoch("us") < 0,
        "no user_id and no visitor_id": pl.col(c.USER_ID).is_null() & pl.col(c.VISITOR_ID).is_null(),
        f"an id is longer than {c.MAX_ID_BYTES} bytes": pl.any_horizontal(too_long),
        "an id is a list or an object": pl.any_horizontal(nested),
        **unknown_types,
        "event_type is missing": pl.col(c.EVENT_TYPE).is_null(),
        "item_id is missing": pl.col(c.EVENT_TYPE).is_in(c.ITEM_EVENT_TYPES) & pl.col(c.ITEM_ID).is_null(),
        "price is not a number": pl.col("_bad_price"),
        "price is negative": pl.col(c.PRICE) < 0,
        f"price is above {c.MAX_PRICE:g}": pl.col(c.PRICE) > c.MAX_PRICE,
        "quantity is not a whole number": pl.col("_bad_quantity"),
        _NEGATIVE: pl.col(c.QUANTITY) < 0,
        "line is not a whole number": pl.col("_bad_line"),
        "no exchange rate for the currency": ~pl.col(c.CURRENCY).is_in(known),
    }


def _deduplicated(frame: pl.DataFrame) -> pl.DataFrame:
    """One row for each (event_id, line) in the file; an absent line is line 0.

    When no row has a line, rows with the same event_id and different items are the lines of one event.
    """
    has_lines = frame[c.LINE].is_not_null().any()
    frame = frame.with_columns(pl.col(c.LINE).fill_null(0))
    key = [c.EVENT_ID, c.LINE] if has_lines else [c.EVENT_ID, c.ITEM_ID]
    if frame[SENT].any():
        frame = frame.filter(~pl.col(SENT) | pl.struct(key).is_first_distinct())
    if not has_lines and frame[SENT].any():
        return frame.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).over(c.EVENT_ID).alias(c.LINE))
    return frame
