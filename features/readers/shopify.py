"""Shopify's exports: orders, and products as the catalogue, both as CSV from the admin pages.

Orders: https://help.shopify.com/manual/fulfillment/managing-orders/exporting-orders. Products, whose columns
were renamed in 2025: https://help.shopify.com/manual/products/import-export/using-csv.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import polars as pl

from configs.settings.data import DataConfig
from features.readers.csv_rows import read_csv_rows
from features.readers.field_rows import named_columns, one_file
from features.readers.order_lines import order_tables, read_order_lines
from features.readers.raw_table import FILE, ROW, RawTable, RawTables

_ORDER: Final = {
    "transaction_id": ("Name",),
    "user_id": ("Email",),
    "event_type": ("Financial Status",),
    "timestamp": ("Created at",),
    "cancelled": ("Cancelled at",),
    "currency": ("Currency",),
    "coupon": ("Discount Code",),
    "country": ("Billing Country",),
    "channel": ("Source",),
    "quantity": ("Lineitem quantity",),
    "title": ("Lineitem name",),
    "price": ("Lineitem price",),
    "sku": ("Lineitem sku",),
    "brand": ("Vendor",),
}
_NEEDED_OF_AN_ORDER: Final = frozenset(
    {"transaction_id", "user_id", "event_type", "timestamp", "quantity", "title", "price"}
)
STATUSES: Final = {
    **dict.fromkeys(("paid", "pending", "authorized", "partially_paid", "partially_refunded"), "purchase"),
    "cancelled": "purchase",
    **dict.fromkeys(("refunded", "voided", "expired"), "ignore"),
}
"""Financial status → what the order is. `cancelled` is ours, for an order that was cancelled after it was
paid or placed: its refund follows. When other orders were refunded the export does not say."""
_PRODUCT: Final = {
    "handle": ("Handle", "URL handle"),
    "title": ("Title",),
    "description": ("Body (HTML)", "Description"),
    "brand": ("Vendor",),
    "category": ("Product Category", "Product category"),
    "type": ("Type",),
    "published": ("Published", "Published on online store"),
    "status": ("Status",),
    **{f"option{number}": (f"Option{number} Value", f"Option{number} value") for number in (1, 2, 3)},
    "sku": ("Variant SKU", "SKU"),
    "price": ("Variant Price", "Price"),
    "cost_of_goods_sold": ("Cost per item",),
    "tracker": ("Variant Inventory Tracker", "Inventory tracker"),
    "stock": ("Variant Inventory Qty", "Inventory quantity"),
    "policy": ("Variant Inventory Policy", "Continue selling when out of stock"),
    "variant_image": ("Variant Image", "Variant image URL"),
    "image": ("Image Src", "Product image URL"),
}
_OF_THE_PRODUCT: Final = (
    *("title", "description", "brand", "category", "type", "published", "status", "image"),
)
"""Only the first row of a product has them."""
_OPTIONS: Final = ("option1", "option2", "option3")


def read_shopify(data: DataConfig) -> RawTables:
    """Order lines as purchases; an order that was cancelled is a refund at that time, too.

    Left out and counted: orders that were voided, expired or refunded without being cancelled, and orders
    without an e-mail address. Orders refunded in part count as bought, as the export names no items.
    """
    lines = read_order_lines(data, _ORDER, needed=_NEEDED_OF_AN_ORDER)
    status = pl.col("event_type").str.to_lowercase()
    was_placed = ~status.is_in(("voided", "expired")).fill_null(value=False)
    is_cancelled = pl.col("cancelled").is_not_null() & was_placed
    rows = lines.frame.with_columns(
        pl.when(is_cancelled).then(pl.lit("cancelled")).otherwise(status).alias("event_type")
    )
    refunds = rows.filter(pl.col("event_type") == "cancelled").with_columns(
        pl.lit("refund").alias("event_type"),
        pl.col("cancelled").alias("timestamp"),
        pl.concat_str("transaction_id", pl.lit(" cancelled")).alias("event_id"),
    )
    partly = rows.filter(pl.col("event_type") == "partially_refunded")["transaction_id"].n_unique()
    remark = (
        f"{partly:,} orders were refunded in part; the export does not name the items: all count as bought"
    )
    return order_tables(
        lines,
        pl.concat([rows, refunds]),
        data,
        statuses=STATUSES,
        items=_products(data.items, data) if data.items else None,
        dropped={},
        remarks=(remark,) if partly else (),
    )


def _products(where: Path, data: DataConfig) -> RawTable:
    """One item a variant, with the id and the name that an order gives it.

    Drafts, archived and unpublished products are out of stock, as are variants without stock that may not be
    oversold. Rows with a further picture alone are dropped and counted.
    """
    path = one_file(where, reader=data.reader, table="items")
    found, rejected = read_csv_rows(path, "items")
    needed = {"handle", "title", "price"}
    rows = named_columns(found, path, _PRODUCT, optional=frozenset(_PRODUCT) - needed)
    absent = [name for name in _PRODUCT if name not in rows.columns]
    rows = rows.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in absent)
    rows = rows.with_columns(
        pl.col(pl.String).exclude(FILE).str.strip_chars().replace("", None)
    ).with_columns(pl.col(_OF_THE_PRODUCT).drop_nulls().first().over("handle"))
    is_variant = pl.any_horizontal(pl.col("sku", "price", "option1").is_not_null())
    variants = rows.filter(is_variant)
    return RawTable(
        name="items",
        where=str(path),
        frame=variants.select(*_item_columns(), FILE, ROW),
        rejected=rejected,
        names_in_file={our: names[0] for our, names in _PRODUCT.items()},
        decimal=data.decimal,
        dropped={"further picture of a product": len(rows) - len(variants)},
    )


def _item_columns() -> list[pl.Expr]:
    options = pl.concat_str(
        [pl.col(name).replace("Default Title", None) for name in _OPTIONS], separator=" / ", ignore_nulls=True
    ).replace("", None)
    title = pl.concat_str("title", options, separator=" - ", ignore_nulls=True)
    category = pl.col("category").str.split(" > ").list.last()
    own_type = pl.when(pl.col("type") != category.fill_null("")).then(pl.col("type"))
    on_sale = (pl.col("published").str.to_lowercase() != "false").fill_null(value=True) & (
        pl.col("status").str.to_lowercase() == "active"
    ).fill_null(value=True)
    sold_out = (
        (pl.col("stock").cast(pl.Int64, strict=False) <= 0)
        & pl.col("tracker").is_not_null()
        & ~pl.col("policy").str.to_lowercase().is_in(("continue", "true"))
    ).fill_null(value=False)
    return [
        pl.coalesce("sku", title).alias("id"),
        pl.col("handle").alias("item_group_id"),
        title.alias("title"),
        pl.col("description").str.replace_all(r"<[^>]*>", " ").str.replace_all(r"\s+", " ").str.strip_chars(),
        pl.concat_str("category", own_type, separator=" > ", ignore_nulls=True)
        .replace("", None)
        .alias("product_type"),
        *(pl.col(name) for name in ("brand", "price", "cost_of_goods_sold")),
        pl.when(on_sale & ~sold_out)
        .then(pl.lit("in_stock"))
        .otherwise(pl.lit("out_of_stock"))
        .alias("availability"),
        pl.coalesce("variant_image", "image").alias("image_link"),
    ]
