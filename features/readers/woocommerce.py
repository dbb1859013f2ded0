"""Orders of WooCommerce as CSV with a row for each item, from the plugins that export them.

WooCommerce itself exports no order lines. Read are *Customer/Order/Coupon Export* (SkyVerge; "Default - One
Row per Item") and *Advanced Order Export* (AlgolPlus; CSV), with the columns they have by default.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from configs.settings.data import DataConfig
from features.readers.files import read_items_file
from features.readers.order_lines import order_tables, read_order_lines
from features.readers.raw_table import RawTables

_ORDER: Final = {
    "transaction_id": ("order_id", "Order ID", "order_number", "Order Number"),
    "timestamp": ("order_date", "date", "Order Date"),
    "event_type": ("status", "Order Status"),
    "user_id": ("billing_email", "Email (Billing)"),
    "currency": ("order_currency", "currency", "Order Currency", "Currency"),
    "country": ("billing_country", "Country Code (Billing)"),
    "coupon": ("Coupon Code",),
    "sku": ("item_sku", "SKU"),
    "product_id": ("item_product_id", "Product Id", "Product ID"),
    "title": ("item_name", "Item Name", "Product Name", "Name"),
    "quantity": ("item_quantity", "Quantity", "Quantity (- Refund)"),
    "refunded": ("item_refunded_qty",),
    "price": ("item_price", "Item Cost"),
    "total": ("item_total", "Order Line Total"),
}
_NEEDED: Final = frozenset({"transaction_id", "timestamp", "event_type", "user_id", "title", "quantity"})
STATUSES: Final = {
    **dict.fromkeys(("completed", "processing", "on-hold", "pending", "pending-payment"), "purchase"),
    **dict.fromkeys(("cancelled", "refunded", "failed", "checkout-draft", "draft", "trash"), "ignore"),
}
"""Status of an order → what it is: the export does not say when an order was cancelled or refunded."""


def read_woocommerce(data: DataConfig) -> RawTables:
    """Order lines as purchases, less the quantity that was refunded.

    Left out and counted: orders that were cancelled, refunded or failed, lines refunded in full, and orders
    without an e-mail address. The price of a unit is the line's, or its total divided by its quantity.
    """
    lines = read_order_lines(data, _ORDER, needed=_NEEDED)
    quantity, refunded, total = (_number(name, data.decimal) for name in ("quantity", "refunded", "total"))
    left = quantity - refunded.abs().fill_null(0)
    unit_price = (total / quantity).round(2)
    rows = lines.frame.with_columns(
        pl.col("event_type")
        .str.to_lowercase()
        .str.strip_prefix("wc-")
        .str.replace_all(" ", "-", literal=True),
        pl.coalesce("price", pl.when(quantity > 0).then(_text(unit_price, data.decimal))).alias("price"),
        pl.when(refunded != 0).then(_text(left, data.decimal)).otherwise("quantity").alias("quantity"),
        pl.lit(None, dtype=pl.String).alias("channel"),
        (left <= 0).fill_null(value=False).alias("is_refunded"),
    )
    kept = rows.filter(~pl.col("is_refunded"))
    return order_tables(
        lines,
        kept,
        data,
        statuses=STATUSES,
        items=read_items_file(data),
        dropped={"line that was refunded in full": len(rows) - len(kept)},
    )


def _number(name: str, decimal: str) -> pl.Expr:
    return pl.col(name).str.replace(decimal, ".", literal=True).cast(pl.Float64, strict=False)


def _text(number: pl.Expr, decimal: str) -> pl.Expr:
    return number.cast(pl.String).str.replace(".", decimal, literal=True)
