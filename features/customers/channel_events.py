"""Visits with their channel, and orders with their value: all that the attribution reads of the events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, get_args

import polars as pl

from configs.exceptions import ConfigError, DataError
from configs.settings.channels import ChannelColumn, ChannelsConfig
from features.core import columns as c
from features.customers.agreed_events import KEY, present_columns
from features.customers.shoppers import SHOPPER

VISIT: Final = "visit"
CHANNEL: Final = "channel"
COLUMNS: Final[tuple[str, ...]] = get_args(ChannelColumn)


def channel_columns(events: pl.LazyFrame, rules: ChannelsConfig) -> list[str]:
    """The columns that name a channel. Raises ConfigError for one that the events do not have, DataError
    where they have none at all."""
    present = present_columns(events, COLUMNS)
    if missing := [name for name in rules.by if name not in present]:
        has = f"have {', '.join(present)}" if present else "have none of " + ", ".join(COLUMNS)
        raise ConfigError(
            f"channels.by={list(rules.by)}: no event has a {missing[0]}. The events {has}: name those, or "
            f"give the file's column a name: data.event_columns: {{{missing[0]}: <your column>}}."
        )
    if rules.by:
        return list(rules.by)
    for names in (("source", "medium"), ("channel",), ("campaign",)):
        if any(name in present for name in names):
            return [name for name in names if name in present]
    raise DataError(
        "No event says where its visitor came from: none has a channel, source, medium or campaign. Name the "
        "file's column in data.event_columns (such as {channel: <your column>}) and prepare again, or send "
        "`source`, `medium` or `campaign` with live events."
    )


def visits(events: pl.LazyFrame, people: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """SHOPPER, VISIT, start, end and CHANNEL: the first that is known in the visit, in lower case; null where
    none is. `people`: `SHOPPERS_SCHEMA`; the events are by time."""
    parts = [pl.col(name).cast(pl.String).str.strip_chars().str.to_lowercase() for name in columns]
    label = pl.concat_str([part.replace("", None) for part in parts], separator=" / ", ignore_nulls=True)
    time = pl.col(c.TIMESTAMP)
    rows = events.select(
        KEY,
        pl.coalesce(c.SESSION_ID, time.dt.date().cast(pl.String)).hash().alias(VISIT),
        time.alias("time"),
        label.replace("", None).alias(CHANNEL),
    ).join(people.lazy().select(pl.col("key").alias(KEY), SHOPPER), on=KEY, maintain_order="left")
    times = rows.group_by(SHOPPER, VISIT).agg(
        pl.col("time").min().alias("start"), pl.col("time").max().alias("end")
    )
    named = rows.filter(pl.col(CHANNEL).is_not_null()).group_by(SHOPPER, VISIT).agg(pl.col(CHANNEL).first())
    found = times.join(named, on=(SHOPPER, VISIT), how="left").collect()
    return found.select(SHOPPER, VISIT, "start", "end", CHANNEL).sort(SHOPPER, "start", VISIT)


def orders(events: pl.LazyFrame, people: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """One row an order: `order`, SHOPPER, `time` and `revenue` before refunds, null where no line has a price
    in the event or the catalogue. `items`: `price_levels.item_table`.

    An order without a number is all that was bought in a visit. One number on several ids of a shopper is one
    order, and the id with the most counts.
    """
    number = pl.col(c.TRANSACTION_ID)
    time = pl.col(c.TIMESTAMP)
    prices = items.select(pl.col("item").cast(pl.String), "listed_price").lazy()
    lines = (
        events.filter(pl.col(c.EVENT_TYPE) == "purchase")
        .select(
            KEY,
            pl.coalesce(number, c.SESSION_ID, time.dt.date().cast(pl.String)).hash().alias("_order"),
            number.is_not_null().alias("_has_number"),
            time.alias("time"),
            pl.col(c.ITEM_ID).cast(pl.String).alias("item"),
            c.PRICE,
            c.QUANTITY,
        )
        .join(prices, on="item", how="left")
        .join(people.lazy().select(pl.col("key").alias(KEY), SHOPPER), on=KEY)
    )
    amount = pl.coalesce(c.PRICE, "listed_price") * pl.col(c.QUANTITY).fill_null(1)
    by_key = lines.group_by(SHOPPER, "_order", "_has_number", KEY).agg(
        pl.col("time").min(), amount.sum().alias("revenue"), amount.count().alias("_priced")
    )
    value = pl.when(pl.col("_has_number")).then(pl.col("revenue").max()).otherwise(pl.col("revenue").sum())
    found = (
        by_key.group_by(SHOPPER, "_order", "_has_number")
        .agg(pl.col("time").min(), value.first().alias("revenue"), pl.col("_priced").sum())
        .with_columns(pl.when(pl.col("_priced") > 0).then("revenue").alias("revenue"))
        .collect()
    )
    return (
        found.sort(SHOPPER, "time", "_order")
        .with_row_index("order")
        .select("order", SHOPPER, "time", "revenue")
    )
