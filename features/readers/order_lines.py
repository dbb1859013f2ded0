"""Exports of orders with a row for each line: what Shopify's and WooCommerce's have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from configs.settings.data import DataConfig
from features.readers.catalogue_from_events import catalogue_from_events
from features.readers.csv_rows import read_csv_rows
from features.readers.field_rows import named_columns, one_file
from features.readers.files import matching_files, read_users_file
from features.readers.raw_table import FILE, ROW, RawTable, RawTables

LINE_COLUMNS = ("sku", "product_id", "title", "brand", "quantity", "refunded", "price", "total")
"""Columns of a line; all others are of the order."""


@dataclass(frozen=True)
class OrderLines:
    """The lines of an export, each with its order's columns, all text; blank is null."""

    frame: pl.DataFrame
    rejected: pl.DataFrame
    names_in_file: dict[str, str]


def read_order_lines(
    data: DataConfig, columns: Mapping[str, tuple[str, ...]], *, needed: frozenset[str]
) -> OrderLines:
    """Read the files. `columns`: our column → its names; one that is not `needed` may be absent, and is null.

    Where later lines of an order leave the order's columns blank, they get those of the first line. The item
    is the SKU, else the product's id, else its name; the user is the e-mail address in lower case.
    """
    path = data.events or one_file(None, reader=data.reader, table="events")
    frames, rejected = [], []
    found: dict[str, str] = {}
    for file in matching_files("events", path):
        rows, broken = read_csv_rows(one_file(file, reader=data.reader, table="events"), "events")
        found |= {our: name for our, names in columns.items() for name in names[::-1] if name in rows.columns}
        frames.append(named_columns(rows, file, columns, optional=frozenset(columns) - needed))
        rejected.append(broken)
    frame = pl.concat(frames, how="diagonal_relaxed").with_columns(
        pl.col(pl.String).exclude(FILE).str.strip_chars().replace("", None)
    )
    absent = [name for name in (*columns, *LINE_COLUMNS) if name not in frame.columns]
    frame = frame.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in dict.fromkeys(absent))
    frame = frame.with_columns(pl.col("transaction_id").forward_fill().over(FILE))
    order = [name for name in columns if name not in (*LINE_COLUMNS, "transaction_id")]
    frame = frame.with_columns(pl.col(order).drop_nulls().first().over(FILE, "transaction_id"))
    return OrderLines(
        frame.with_columns(
            pl.col("transaction_id").alias("event_id"),
            pl.int_range(pl.len(), dtype=pl.Int64).over(FILE, "transaction_id").alias("line"),
            pl.col("user_id").str.to_lowercase(),
            pl.coalesce("sku", "product_id", "title").alias("item_id"),
        ),
        pl.concat(rejected),
        found,
    )


def order_tables(
    lines: OrderLines,
    frame: pl.DataFrame,
    data: DataConfig,
    *,
    statuses: Mapping[str, str],
    items: RawTable | None,
    dropped: Mapping[str, int],
    remarks: tuple[str, ...] = (),
) -> RawTables:
    """The tables of an export. `frame`: the lines as events; `statuses`: an order's status, which stands in
    event_type, → what it is; `dropped`: the lines left out so far, by reason.

    Orders without a customer's e-mail address are dropped and counted. Without `items` the catalogue is what
    the orders say of their items.
    """
    known = frame.filter(pl.col("user_id").is_not_null())
    described = ("title", "brand", "price", "currency")
    events = RawTable(
        name="events",
        where=str(data.events),
        frame=known.select(*_EVENT_COLUMNS, FILE, ROW),
        rejected=lines.rejected,
        names_in_file={**lines.names_in_file, "item_id": lines.names_in_file.get("sku", "item_id")},
        decimal=data.decimal,
        timestamp_format=data.timestamp_format,
        event_types={**statuses, **data.event_types},
        dropped={**dropped, "order without an e-mail address": len(frame) - len(known)},
    )
    if items is None:
        items = catalogue_from_events(known, described, where=str(data.events), decimal=data.decimal)
    return RawTables(events=events, items=items, users=read_users_file(data), remarks=remarks)


_EVENT_COLUMNS = (
    *("event_id", "line", "event_type", "timestamp", "user_id", "item_id", "quantity", "price", "currency"),
    *("transaction_id", "coupon", "country", "channel"),
)
