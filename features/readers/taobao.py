"""Taobao UserBehavior (Tianchi data set 649): item views, carts, favourites and purchases of nine days.

A line is `user,item,category,behaviour,unix time`, without a header; behaviours are pv, cart, fav and buy.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import polars as pl

from configs.settings.data import DataConfig
from features.core.columns import ID
from features.readers.field_rows import one_file, read_fields
from features.readers.published_counts import Counts, compare_with_published
from features.readers.raw_table import FILE, ROW, RawTable, RawTables, no_rejected

EVENT_TYPES: Final = {"pv": "view_item", "cart": "add_to_cart", "fav": "add_to_wishlist", "buy": "purchase"}
FIRST, END = 1_511_539_200, 1_512_316_800
"""The published period, 25 November to 3 December 2017 in Beijing (UTC+8), in unix seconds. Some rows of the
file have times outside it, a few by years."""
_SCHEMA: Final = {
    "user_id": pl.String,
    "item_id": pl.String,
    "category": pl.String,
    "behaviour": pl.String,
    "timestamp": pl.Int64,
}


def read_taobao(data: DataConfig) -> RawTables:
    """Events without baskets or prices, and items whose product_type is their (last) category.

    Rows outside the published period are dropped and counted. Rows with an unknown behaviour are rejected.
    """
    path = one_file(data.events, reader=data.reader, table="events")
    rows, rejected = read_fields(path, "events", schema=_SCHEMA, separator=",")
    remark = compare_with_published(data.reader, path, _counts(rows, len(rows) + len(rejected)))
    within = rows["timestamp"].is_between(FIRST, END, closed="left")
    kept = rows.filter(within)
    event_type = (
        pl.col("behaviour").replace_strict(EVENT_TYPES, default=pl.col("behaviour")).alias("event_type")
    )
    events = RawTable(
        name="events",
        where=str(path),
        frame=kept.select("user_id", "item_id", event_type, "timestamp", FILE, ROW),
        rejected=rejected,
        names_in_file={"event_type": "behaviour"},
        dropped={"time outside the published period (25 November to 3 December 2017)": len(rows) - len(kept)},
    )
    return RawTables(events=events, items=_items(path, kept), remarks=(remark,))


def _counts(rows: pl.DataFrame, num_lines: int) -> Counts:
    return Counts(num_lines, users=rows["user_id"].n_unique(), items=rows["item_id"].n_unique())


def _items(path: Path, rows: pl.DataFrame) -> RawTable:
    last = rows.filter(pl.col("item_id") != "").group_by("item_id", maintain_order=True).last()
    frame = last.select(pl.col("item_id").alias("id"), pl.col("category").alias("product_type"), FILE, ROW)
    return RawTable(name="items", where=str(path), frame=frame, rejected=no_rejected(), from_events=(ID,))
