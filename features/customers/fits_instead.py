"""Products that fit instead: what those who sent a product back bought from the same category, and kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import polars as pl

from configs.settings.returns import ReturnsConfig
from features.customers.customer_events import ITEM, TIME
from features.customers.price_levels import CATEGORY
from features.customers.profile_columns import USER
from features.customers.refund_matching import RETURNED

INSTEAD_SCHEMA: Final = {
    "item": pl.String,
    "instead": pl.String,
    "why": pl.String,
    "people": pl.Int64,
    "rate": pl.Float64,
    "rate_instead": pl.Float64,
}
"""One row a product and what fits instead, the best first. `people`: customers who sent `item` back and kept
`instead`; the rates are those of `refund_rates`, drawn towards the category's"""

KEPT: Final = "kept by those who sent it back"
SELDOM: Final = "seldom comes back, same category"

MOST_LINES: Final = 1_000
"""Whoever has more order lines in a category is no single person who looks for what fits."""

_COLUMNS: Final = ("item", "instead", "why", "people", "rate_instead", "_order")


def fits_instead(lines: pl.DataFrame, products: pl.DataFrame, rules: ReturnsConfig) -> pl.DataFrame:
    """`INSTEAD_SCHEMA`, of products that `min_people` customers sent back and whose category is known.
    `lines`: those of `matched_lines`; `products`: those of `product_rates`.

    First what the most of them kept; where that is too few people, what of the category comes back least
    often, if that is less often than the product itself: by the high end of the interval, so that a product
    with few orders does not win by chance.
    """
    sent_back = products.filter(pl.col("returned_people") >= rules.min_people, pl.col(CATEGORY).is_not_null())
    wanted = sent_back.select("item", CATEGORY, pl.col("shrunk_rate").alias("rate"))
    candidates = pl.concat([_kept(lines, products, rules), _seldom(wanted, products, rules)])
    best = (
        candidates.join(wanted.select("item", "rate"), on="item")
        .with_columns((pl.col("why") == KEPT).alias("_is_kept"))
        .sort(
            "item",
            "_is_kept",
            "people",
            "_order",
            "instead",
            descending=[False, True, True, False, False],
        )
        .unique(("item", "instead"), keep="first", maintain_order=True)
    )
    best = best.filter(pl.int_range(pl.len()).over("item") < rules.num_instead)
    order = sent_back.select("item", "returned_people").join(best, on="item", maintain_order="right")
    return order.sort("returned_people", "item", descending=[True, False], maintain_order=True).select(
        pl.col(name).cast(kind) for name, kind in INSTEAD_SCHEMA.items()
    )


def _kept(lines: pl.DataFrame, products: pl.DataFrame, rules: ReturnsConfig) -> pl.DataFrame:
    columns = (USER, ITEM, CATEGORY, TIME)
    few = pl.len().over(USER, CATEGORY) <= MOST_LINES
    known = lines.filter(pl.col(CATEGORY).is_not_null()).filter(few)
    back = known.filter(pl.col(RETURNED) > 0).select(columns)
    kept = known.filter(pl.col(RETURNED) == 0).select(
        USER, CATEGORY, pl.col(ITEM).alias("instead"), pl.col(TIME).alias("then")
    )
    later = pl.col("then") - pl.col(TIME)
    is_soon = later.is_between(timedelta(0), timedelta(days=rules.instead_days))
    pairs = back.join(kept, on=(USER, CATEGORY)).filter(pl.col(ITEM) != pl.col("instead"), is_soon)
    people = pl.col(USER).n_unique().cast(pl.Int64).alias("people")
    counted = pairs.group_by(pl.col(ITEM, "instead").cast(pl.String)).agg(people)
    rates = products.select(
        pl.col("item").alias("instead"),
        pl.col("shrunk_rate").alias("rate_instead"),
        pl.col("high").alias("_order"),
    )
    enough = counted.filter(pl.col("people") >= rules.min_people).join(rates, on="instead")
    return enough.with_columns(pl.lit(KEPT).alias("why")).select(_COLUMNS)


def _seldom(wanted: pl.DataFrame, products: pl.DataFrame, rules: ReturnsConfig) -> pl.DataFrame:
    """The few products of each category that come back least often, beside every wanted product of it."""
    enough = products.filter(pl.col("lines") >= rules.min_lines, pl.col(CATEGORY).is_not_null())
    place = pl.int_range(pl.len()).over(CATEGORY)
    least = enough.sort("high", "item").filter(place <= rules.num_instead)
    others = least.select(
        CATEGORY,
        pl.col("item").alias("instead"),
        pl.col("shrunk_rate").alias("rate_instead"),
        pl.col("high").alias("_order"),
    )
    pairs = wanted.join(others, on=CATEGORY).filter(
        pl.col("instead") != pl.col("item"), pl.col("_order") < pl.col("rate")
    )
    return pairs.with_columns(pl.lit(SELDOM).alias("why"), pl.lit(0, pl.Int64).alias("people")).select(
        _COLUMNS
    )
