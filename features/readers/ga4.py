"""Google Analytics 4's export to BigQuery, as JSON lines or parquet: one row an event, its items in a list.

The layout: https://developers.google.com/analytics/bigquery/event-schema.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import polars as pl

from configs.exceptions import DataError
from configs.settings.data import DataConfig
from features.readers.catalogue_from_events import catalogue_from_events
from features.readers.field_rows import one_file
from features.readers.files import matching_files, read_items_file, read_parquet_rows, read_users_file
from features.readers.jsonl_rows import read_jsonl_rows
from features.readers.raw_table import FILE, ROW, RawTable, RawTables

_CATEGORIES: Final = ("item_category", *(f"item_category{level}" for level in range(2, 6)))
_ITEM: Final = ("item_id", "item_name", "item_brand", *_CATEGORIES, "price", "quantity", "coupon")
_VALUE: Final = ("string_value", "int_value")
_NESTED: Final[dict[str, pl.DataType]] = {
    "items": pl.List(pl.Struct(dict.fromkeys(_ITEM, pl.String))),
    "event_params": pl.List(
        pl.Struct({"key": pl.String, "value": pl.Struct(dict.fromkeys(_VALUE, pl.String))})
    ),
    "ecommerce": pl.Struct({"transaction_id": pl.String}),
    "device": pl.Struct({"category": pl.String}),
    "geo": pl.Struct({"country": pl.String}),
}
"""The nested columns, and what is read of them in JSON."""
_NEEDED: Final = ("event_name", "event_timestamp", "items")
_TEXT: Final = ("user_id", "user_pseudo_id", "platform")
_IGNORED: Final = (
    *("session_start", "first_visit", "first_open", "user_engagement", "scroll", "click", "file_download"),
    *("form_start", "form_submit", "video_start", "video_progress", "video_complete", "error"),
    *("ad_click", "ad_exposure", "ad_impression", "ad_query", "ad_reward", "adunit_exposure"),
    *("app_clear_data", "app_exception", "app_remove", "app_update", "os_update", "firebase_campaign"),
    *("app_store_refund", "app_store_subscription_cancel", "app_store_subscription_convert"),
    *("app_store_subscription_renew", "in_app_purchase", "campaign_details"),
    *("dynamic_link_app_open", "dynamic_link_app_update", "dynamic_link_first_open"),
    *("notification_dismiss", "notification_foreground", "notification_open", "notification_receive"),
    *("login", "sign_up", "share", "generate_lead", "join_group", "select_content"),
    *("add_payment_info", "add_shipping_info"),
)
"""Events that Google Analytics collects by itself, and recommended ones that say nothing about items."""
_DESCRIBED: Final = ("title", "brand", "product_type", "price", "currency")
EVENT_TYPES: Final = {
    **dict.fromkeys(_IGNORED, "ignore"),
    "screen_view": "page_view",
    "view_search_results": "search",
}
"""Google Analytics' event → ours, where the names differ. `data.event_types` adds the shop's own."""


def read_ga4(data: DataConfig) -> RawTables:
    """Events with a row for each of their items, and, without `data.items`, the catalogue that their items
    describe.

    Automatic events are ignored and counted. Events without a user (of visitors who refused cookies) are
    dropped and counted. A purchase that was sent again with its transaction_id counts once.
    """
    where = data.events or one_file(None, reader=data.reader, table="events")
    parts = [_read(path, data) for path in matching_files("events", where)]
    rows = pl.concat([rows for rows, _ in parts], how="diagonal_relaxed")
    has_user = pl.col("user_id").is_not_null() | pl.col("visitor_id").is_not_null()
    kept = rows.filter(has_user)
    events = RawTable(
        name="events",
        where=str(where),
        frame=kept.drop("title", "brand", "product_type"),
        rejected=pl.concat([rejected for _, rejected in parts]),
        names_in_file={
            "event_type": "event_name",
            "timestamp": "event_timestamp",
            "visitor_id": "user_pseudo_id",
            **{name: f"items.{name}" for name in ("item_id", "price", "quantity")},
        },
        event_types={**EVENT_TYPES, **data.event_types},
        dropped={"no user_id and no user_pseudo_id (cookies refused)": len(rows) - len(kept)},
    )
    items = read_items_file(data) or catalogue_from_events(kept, _DESCRIBED, where=str(where))
    return RawTables(events=events, items=items, users=read_users_file(data))


def _read(path: Path, data: DataConfig) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(a row for each item of an event, or for an event without items, with our names; rejected lines)"""
    with one_file(path, reader=data.reader, table="events").open("rb") as file:
        is_parquet = file.read(4) == b"PAR1"
    if is_parquet:
        found, rejected = read_parquet_rows(path, "events")
    else:
        found, rejected = read_jsonl_rows(path, "events")
    missing = [name for name in _NEEDED if name not in found.columns]
    if missing:
        columns = ", ".join(name for name in found.columns if name not in (FILE, ROW))
        raise DataError(
            f"{path}: no column {missing[0]!r}. The columns found are: {columns}. data.reader=ga4 reads the "
            "table events_* as Google Analytics exports it, with its nested columns."
        )
    names = [name for name in (*_NEEDED, *_TEXT, *_NESTED, FILE, ROW) if name in found.columns]
    absent: dict[str, pl.DataType] = dict.fromkeys(_TEXT, pl.String()) | _NESTED
    rows = found.select(*dict.fromkeys(names)).with_columns(
        pl.lit(None, dtype=dtype).alias(name) for name, dtype in absent.items() if name not in names
    )
    try:
        rows = rows.with_columns(
            pl.col(name).str.json_decode(dtype)
            for name, dtype in _NESTED.items()
            if rows[name].dtype == pl.String
        )
        return _flat(rows), rejected
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"{path}: the nested columns are not those of Google Analytics' export "
            f"({str(error).splitlines()[0]}). Export the table events_* as it is."
        ) from None


def _flat(rows: pl.DataFrame) -> pl.DataFrame:
    user, visitor = _text("user_id"), _text("user_pseudo_id")
    events = rows.select(
        pl.col("event_name").alias("event_type"),
        pl.col("event_timestamp").alias("timestamp"),
        user.alias("user_id"),
        visitor.alias("visitor_id"),
        pl.concat_str(visitor, _param("ga_session_id"), separator=".").alias("session_id"),
        _known(pl.col("ecommerce").struct.field("transaction_id")).alias("transaction_id"),
        _param("currency").alias("currency"),
        _param("search_term").alias("search_term"),
        _known(_param("source")).alias("source"),
        _known(_param("medium")).alias("medium"),
        pl.col("platform").str.to_lowercase().alias("channel"),
        pl.col("device").struct.field("category").alias("device"),
        pl.col("geo").struct.field("country").alias("country"),
        "items",
        pl.int_ranges(pl.col("items").list.len()).alias("line"),
        FILE,
        ROW,
    )
    is_known_purchase = (pl.col("event_type") == "purchase") & pl.col("transaction_id").is_not_null()
    one_item = events.explode("items", "line", empty_as_null=True).with_columns(
        pl.when(is_known_purchase)
        .then(pl.concat_str(pl.coalesce("user_id", "visitor_id"), "transaction_id", separator=" "))
        .alias("event_id")
    )
    found = [field.name for field in one_item["items"].dtype.fields]  # type: ignore[attr-defined]
    field = {
        name: _known(pl.col("items").struct.field(name))
        if name in found
        else pl.lit(None, dtype=pl.String).alias(name)
        for name in _ITEM
    }
    path = pl.concat_str([field[name] for name in _CATEGORIES], separator=" > ", ignore_nulls=True)
    return one_item.with_columns(
        field["item_id"],
        field["price"],
        field["quantity"],
        field["coupon"],
        field["item_name"].alias("title"),
        field["item_brand"].alias("brand"),
        path.replace("", None).alias("product_type"),
    ).drop("items")


def _text(name: str) -> pl.Expr:
    return _known(pl.col(name).cast(pl.String))


def _known(value: pl.Expr) -> pl.Expr:
    """Null instead of the export's word for it."""
    text = value.cast(pl.String)
    return pl.when(~text.is_in(("", "(not set)"))).then(value)


def _param(name: str) -> pl.Expr:
    """An event parameter as text, whether it was sent as text or as a whole number."""
    named = pl.element().struct.field("value").filter(pl.element().struct.field("key") == name)
    value = pl.col("event_params").list.eval(named).list.first()
    return pl.coalesce(value.struct.field(kind).cast(pl.String) for kind in _VALUE)
