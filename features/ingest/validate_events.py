"""Raw events → valid events, and the rejected rows with their reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Final

import polars as pl

from configs.exceptions import DataError
from configs.schema import DataConfig, PrepareConfig
from features.core import columns as c
from features.core.categorical import on_distinct
from features.core.event_ids import SENT, is_order, with_event_ids
from features.core.ids import ROUNDED, are_rounded, clean_id
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
from features.ingest.currency import CONTRADICTION, shop_currency, to_shop_currency, with_price_currencies
from features.ingest.lost_rows import LostRows, find_lost_rows, with_legible_prices
from features.ingest.session_ids import with_session_ids
from features.ingest.value_names import event_types, unknown_value_rules, without_ignored
from features.readers.raw_table import FILE, ROW, RawTable, no_rejected, rejected_rows

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
    lost: LostRows | None = None
    """Items and prices that are lost with the rejected rows."""
    unused_columns: tuple[str, ...] = ()
    currency: str | None = None
    moved_days: int = 0
    """By how many days `data.shift_to_today` moved the times."""
    user_ids: pl.Series = field(default_factory=lambda: pl.Series(dtype=pl.String))
    """Every user_id of the files once, of those without consent too."""


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
    raw.check_unambiguous({*_SCHEMA, *OPTIONAL})
    _require_columns(raw, data)
    user_ids, num_rows = _user_ids(raw), raw.num_rows
    raw, ignored = without_ignored(raw)
    raw, without_consent = _without_no_consent(raw, no_consent)
    raw, nobody = _without_excluded(raw, data.exclude)
    frame = with_event_ids(_with_refunds(_typed(raw, data), raw), has_times=data.clock == "real")
    raw, frame, num_later = _until(raw, frame, data.until)
    moved_days = _days_to_today(frame, now) if data.shift_to_today else 0
    if moved_days:
        frame = frame.with_columns(pl.col(c.TIMESTAMP) + timedelta(days=moved_days))
    currency = shop_currency(frame, prepare)
    rules = _rules(
        data=data,
        now=now,
        currency=currency,
        rates=prepare.exchange_rates,
        unknown_types=_unknown_type_rules(raw, frame),
    )
    good, refused, lost = _sorted_out(raw, frame, rules, currency, prepare.exchange_rates)
    del frame  # frees a copy of all events
    events, duplicates = _deduplicated(good.sort(c.TIMESTAMP, maintain_order=True))
    del good
    if data.clock == "real":
        events = with_session_ids(events, gap_minutes=prepare.session_gap_minutes)
    known = {*_SCHEMA, *OPTIONAL, FILE, ROW}
    return ValidEvents(
        events=events.select([*_SCHEMA, *(name for name in OPTIONAL if name in events.columns)]),
        rejected=pl.concat([raw.rejected, refused]),
        num_rows=num_rows,
        dropped={
            **raw.dropped,
            **ignored,
            **duplicates,
            "user without consent": without_consent,
            f"after data.until={data.until}": num_later,
            "id in data.exclude, and no other": nobody,
        },
        lost=lost,
        unused_columns=tuple(raw.name_in_file(name) for name in raw.frame.columns if name not in known),
        currency=currency,
        moved_days=moved_days,
        user_ids=user_ids,
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
    c.QUANTITY: pl.Float64,
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
        f"{raw.where}: no column {', '.join(map(repr, missing))}. "
        f"{raw.columns_found} Name yours in the configuration: data.event_columns: "
        f"{{{example}}}.{hint}{clock}"
    )


def _user_ids(raw: RawTable) -> pl.Series:
    if c.USER_ID not in raw.frame.columns:
        return pl.Series(dtype=pl.String)
    return as_categorical_ids(raw, c.USER_ID).unique().drop_nulls().cast(pl.String)


def _without_no_consent(raw: RawTable, no_consent: pl.Series | None) -> tuple[RawTable, int]:
    """(the table without the rows of users who did not consent, the number of those rows)"""
    if no_consent is None or no_consent.is_empty() or c.USER_ID not in raw.frame.columns:
        return raw, 0
    is_theirs = as_ids(raw, c.USER_ID).is_in(no_consent.implode()).fill_null(value=False)
    return replace(raw, frame=raw.frame.filter(~is_theirs)), int(is_theirs.sum())


def _without_excluded(raw: RawTable, exclude: Sequence[str]) -> tuple[RawTable, int]:
    """(the table with the ids of `exclude` as missing, and without the rows that then have no id of a user
    or visitor; the number of those rows)"""
    if not exclude:
        return raw, 0
    names = [name for name in (c.USER_ID, c.VISITOR_ID) if name in raw.frame.columns]
    ids = pl.DataFrame([as_ids(raw, name) for name in names])
    is_excluded = pl.col(names).is_in([clean_id(text) for text in exclude])
    had_one = ids.select(pl.any_horizontal(is_excluded.fill_null(value=False))).to_series()
    ids = ids.with_columns(pl.when(~is_excluded).then(pl.col(names)))
    nobody = had_one & ids.select(pl.all_horizontal(pl.col(names).is_null())).to_series()
    return replace(raw, frame=raw.frame.with_columns(ids).filter(~nobody)), int(nobody.sum())


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
    rounded = [on_distinct(frame[name], are_rounded) for name in _CATEGORICAL if name in found]
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


def _until(raw: RawTable, frame: pl.DataFrame, until: date | None) -> tuple[RawTable, pl.DataFrame, int]:
    """(both without the rows after the day, how many those were)"""
    if until is None:
        return raw, frame, 0
    is_later = (frame[c.TIMESTAMP].dt.date() > until).fill_null(value=False)
    return replace(raw, frame=raw.frame.filter(~is_later)), frame.filter(~is_later), int(is_later.sum())


def _days_to_today(frame: pl.DataFrame, now: datetime) -> int:
    """The whole days after which the last event lies within the 24 hours before `now`."""
    last = frame[c.TIMESTAMP].max()
    return (now - last) // timedelta(days=1) if isinstance(last, datetime) else 0


def _unknown_type_rules(raw: RawTable, frame: pl.DataFrame) -> dict[str, pl.Expr]:
    return unknown_value_rules(
        frame["_unknown_event_type"],
        setting="data.event_types" if raw.event_types is not None else None,
        choices=("one of ours", "ignore"),
    )


def _sorted_out(
    raw: RawTable,
    frame: pl.DataFrame,
    rules: dict[str, pl.Expr],
    currency: str | None,
    rates: dict[str, float],
) -> tuple[pl.DataFrame, pl.DataFrame, LostRows | None]:
    """(the rows that break no rule, with prices in the shop's currency; the rejected rows; what is lost with
    them)"""
    bad = frame.select(pl.any_horizontal(rule.fill_null(value=False) for rule in rules.values())).to_series()
    if not bad.any():
        return to_shop_currency(frame, currency, rates), no_rejected(), None
    good = to_shop_currency(frame.filter(~bad), currency, rates)
    refused, of_raw = frame.filter(bad), replace(raw, frame=raw.frame.filter(bad))
    priced = to_shop_currency(with_legible_prices(refused, of_raw), currency, rates)
    return good, _rejected(of_raw, refused, rules), find_lost_rows(good, priced, item=c.ITEM_ID)


def _rejected(raw: RawTable, frame: pl.DataFrame, rules: dict[str, pl.Expr]) -> pl.DataFrame:
    """Bad rows, as they were read and typed, each with the first rule that it breaks as the reason."""
    first = pl.coalesce(
        [pl.when(broken.fill_null(value=False)).then(pl.lit(words)) for words, broken in rules.items()]
    )
    return rejected_rows(raw, frame.select(first.alias("reason")).to_series())


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
        f"an id {ROUNDED}": pl.col("_bad_id"),
        "an id is a list or an object": pl.any_horizontal(nested),
        **unknown_types,
        "event_type is missing": pl.col(c.EVENT_TYPE).is_null(),
        "item_id is missing": pl.col(c.EVENT_TYPE).is_in(c.ITEM_EVENT_TYPES) & pl.col(c.ITEM_ID).is_null(),
        "price is not a number": pl.col("_bad_price"),
        "price is negative": pl.col(c.PRICE) < 0,
        f"price is above {c.MAX_PRICE:g}": pl.col(c.PRICE) > c.MAX_PRICE,
        "quantity is not a number": pl.col("_bad_quantity"),
        _NEGATIVE: pl.col(c.QUANTITY) < 0,
        f"quantity is above {c.MAX_QUANTITY:g}": pl.col(c.QUANTITY) > c.MAX_QUANTITY,
        "line is not a whole number": pl.col("_bad_line"),
        CONTRADICTION: pl.col("_bad_currency"),
        "no exchange rate for the currency": ~pl.col(c.CURRENCY).is_in(known),
    }


def _deduplicated(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int]]:
    """(the first row of each key, see `features.core.event_ids`; the rows dropped, by reason).

    A line tells apart the rows of one item in an event with a sender's id; an absent one is 0. Without such
    an id it means nothing, and only rows of orders can have the key of an earlier row.
    """
    line = pl.when(SENT).then(pl.col(c.LINE).fill_null(0)).otherwise(0)
    frame = frame.with_columns(line.alias(c.LINE))
    repeats = frame[SENT] | frame.select(is_order().fill_null(value=False)).to_series()
    if not repeats.any():
        return frame, {}
    is_first = frame.select(pl.struct(c.EVENT_ID, c.EVENT_TYPE, c.ITEM_ID, c.LINE).is_first_distinct())
    keep = is_first.to_series() | ~repeats
    sent = int((frame[SENT] & ~keep).sum())
    orders = len(frame) - int(keep.sum()) - sent
    return frame.filter(keep), {"duplicate event": sent, "order sent again": orders}
