"""Which rows of events are rejected, and for which reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import polars as pl

from configs.settings.data import DataConfig
from features.core import columns as c
from features.core.ids import ROUNDED
from features.ingest.currency import CONTRADICTION, to_shop_currency
from features.ingest.lost_rows import LostRows, find_lost_rows, with_legible_prices
from features.ingest.typed_events import CATEGORICAL
from features.ingest.value_names import unknown_value_rules
from features.readers.raw_table import RawTable, no_rejected, rejected_rows

_MAX_AHEAD = timedelta(days=1)
_NEGATIVE: Final = "quantity is negative: data.negative_quantity=refund makes that a refund"


class SortedOut(NamedTuple):
    """Events in two parts."""

    good: pl.DataFrame
    """The rows that break no rule, with prices in the shop's currency."""
    rejected: pl.DataFrame
    """The others as they were read, each with its reason."""
    lost: LostRows | None
    """Items and prices that are lost with them."""


def sort_out(
    raw: RawTable,
    frame: pl.DataFrame,
    *,
    data: DataConfig,
    now: datetime,
    currency: str | None,
    rates: dict[str, float],
) -> SortedOut:
    """Tell rows that can be used from those that cannot. `frame`: `raw` typed, row by row.

    `now` (with a time zone) decides which timestamps lie in the future; `rates` turn currencies into the
    shop's.
    """
    rules = _rules(raw, frame, data=data, now=now, currencies=[code for code in (currency, *rates) if code])
    bad = frame.select(pl.any_horizontal(rule.fill_null(value=False) for rule in rules.values())).to_series()
    if not bad.any():
        return SortedOut(to_shop_currency(frame, currency, rates), no_rejected(), None)
    good = to_shop_currency(frame.filter(~bad), currency, rates)
    refused, of_raw = frame.filter(bad), replace(raw, frame=raw.frame.filter(bad))
    priced = to_shop_currency(with_legible_prices(refused, of_raw), currency, rates)
    lost = find_lost_rows(good, priced, item=c.ITEM_ID)
    return SortedOut(good, _rejected(of_raw, refused, rules), lost)


def _rejected(raw: RawTable, frame: pl.DataFrame, rules: dict[str, pl.Expr]) -> pl.DataFrame:
    """Bad rows, as they were read and typed, each with the first rule that it breaks as the reason."""
    first = pl.coalesce(
        [pl.when(broken.fill_null(value=False)).then(pl.lit(words)) for words, broken in rules.items()]
    )
    return rejected_rows(raw, frame.select(first.alias("reason")).to_series())


def _rules(
    raw: RawTable, frame: pl.DataFrame, *, data: DataConfig, now: datetime, currencies: list[str]
) -> dict[str, pl.Expr]:
    """Reason for rejection → whether a row is rejected for it."""
    too_long = [pl.col(name).cat.len_bytes() > c.MAX_ID_BYTES for name in CATEGORICAL]
    too_long.append(pl.col(c.EVENT_ID).str.len_bytes() > c.MAX_ID_BYTES)
    nested = [pl.col(name).cat.starts_with(start) for name in CATEGORICAL for start in c.NESTED_STARTS]
    future = pl.col(c.TIMESTAMP) > now + _MAX_AHEAD if data.clock == "real" else pl.lit(value=False)
    unknown_types = unknown_value_rules(
        frame["_unknown_event_type"],
        setting="data.event_types" if raw.event_types is not None else None,
        choices=("one of ours", "ignore"),
    )
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
        "no exchange rate for the currency": ~pl.col(c.CURRENCY).is_in(currencies),
    }
