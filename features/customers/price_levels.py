"""What each item usually costs, how dear it is in its category, and what each order line was worth."""

from __future__ import annotations

from typing import Final

import polars as pl

from features.core import columns as c
from features.customers.customer_events import COUPON, ITEM

AMOUNT: Final = "amount"
IS_DISCOUNT: Final = "is_discount"
LEVEL: Final = "price_level"
BAND: Final = "price_band"
CATEGORY: Final = "category"
BANDS: Final = ("low", "middle", "high")
"""By their code"""

DISCOUNT: Final = 0.05
"""A line this far below the item's usual price was bought at a discount."""

FEW_ITEMS: Final = 5
"""An item of a category with fewer priced items is compared with all items."""


def item_table(catalogue: pl.DataFrame, *, category_levels: int) -> pl.DataFrame:
    """Item, catalogue price, category (the first levels of its path) and brand; one row an item."""
    found = catalogue.columns
    listed = [pl.col(name) for name in (c.SALE_PRICE, c.PRICE) if name in found]
    path = pl.col(c.PRODUCT_TYPE).str.split(">").list.head(category_levels)
    return catalogue.select(
        pl.col(c.ID).cast(pl.Categorical).alias(ITEM),
        (pl.coalesce(listed) if listed else pl.lit(None, pl.Float64)).alias("listed_price"),
        path.list.eval(pl.element().str.strip_chars()).list.join(" > ").alias(CATEGORY),
        c.BRAND,
    )


def order_lines(events: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """The purchases and refunds among the events, with what each was worth (`AMOUNT`, null without a price),
    and what its item says: category, brand, price level and band.

    A line without a price counts at the catalogue's. The usual price of an item is the median that was paid
    for it.
    """
    lines = events.filter(pl.col(c.EVENT_TYPE).is_in(["purchase", "refund"])).join(
        items, on=ITEM, how="left", maintain_order="left"
    )
    lines = lines.with_columns(pl.coalesce(c.PRICE, "listed_price").alias("paid"))
    levels = _price_levels(lines)
    lines = lines.join(levels, on=ITEM, how="left", maintain_order="left")
    is_low = pl.col(c.PRICE) <= (1 - DISCOUNT) * pl.col("usual_price")
    return lines.select(
        pl.exclude("listed_price", "usual_price", c.PRICE, "paid"),
        (pl.col("paid") * pl.col(c.QUANTITY).fill_null(1)).alias(AMOUNT),
        (is_low.fill_null(value=False) | pl.col(COUPON)).alias(IS_DISCOUNT),
        pl.col(c.PRICE).is_null().alias("has_no_price"),
    )


def _price_levels(lines: pl.DataFrame) -> pl.DataFrame:
    """Item, its usual price, its level (0 to 1: its place among the prices of its category) and its band."""
    priced = lines.filter((pl.col(c.EVENT_TYPE) == "purchase") & (pl.col("paid") > 0))
    usual = priced.group_by(ITEM).agg(pl.col("paid").median().alias("usual_price"), pl.col(CATEGORY).first())
    rank, count = pl.col("usual_price").rank("average") - 0.5, pl.len()
    of_category = (rank / count).over(CATEGORY)
    is_few = (count.over(CATEGORY) < FEW_ITEMS) | pl.col(CATEGORY).is_null()
    level = pl.when(is_few).then(rank / count).otherwise(of_category)
    return usual.with_columns(level.alias(LEVEL)).select(
        ITEM,
        "usual_price",
        LEVEL,
        (pl.col(LEVEL) * len(BANDS)).floor().clip(0, len(BANDS) - 1).cast(pl.Int8).alias(BAND),
    )
