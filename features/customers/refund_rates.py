"""How much of each product, of each category and by each customer came back."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from features.core import columns as c
from features.customers.customer_events import ITEM
from features.customers.price_levels import AMOUNT, CATEGORY
from features.customers.profile_columns import USER
from features.customers.refund_matching import RETURNED
from features.customers.shrinkage import shrunk, whole_rate

COUNTS_SCHEMA: Final = {
    "lines": pl.Int64,
    "returned_lines": pl.Int64,
    "people": pl.Int64,
    "returned_people": pl.Int64,
    "units": pl.Float64,
    "returned_units": pl.Float64,
    "value": pl.Float64,
    "returned_value": pl.Float64,
    "rate": pl.Float64,
    "shrunk_rate": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
}
"""`lines`: order lines; `returned_lines`: those of which something came back; `people` have bought it;
`value`: what was paid, null without a price; `rate`: returned_lines / lines as counted; `shrunk_rate`, from
`low` to `high`: drawn towards the parent's where lines are few"""


def shop_rate(lines: pl.DataFrame) -> float:
    """Share of all order lines of which something came back, between 0 and 1 and neither."""
    return whole_rate(float((lines[RETURNED] > 0).sum()), float(len(lines)))


def category_rates(lines: pl.DataFrame, *, level: float) -> pl.DataFrame:
    """CATEGORY (null: unknown) and `COUNTS_SCHEMA`, drawn towards the shop's rate; the highest rate first."""
    counts = _counts(lines, CATEGORY)
    return _with_rates(counts, pl.repeat(shop_rate(lines), len(counts), eager=True), level=level, by=CATEGORY)


def product_rates(lines: pl.DataFrame, categories: pl.DataFrame, *, level: float) -> pl.DataFrame:
    """ITEM, CATEGORY and `COUNTS_SCHEMA`, drawn towards the category's rate. `categories`: those of
    `category_rates`."""
    counts = _counts(lines, ITEM, pl.col(CATEGORY).first())
    parents = counts.select(CATEGORY).join(
        categories.select(CATEGORY, "shrunk_rate"),
        on=CATEGORY,
        how="left",
        nulls_equal=True,
        maintain_order="left",
    )
    return _with_rates(counts, parents["shrunk_rate"], level=level, by=ITEM, more=(CATEGORY,))


def customer_rates(lines: pl.DataFrame, *, level: float) -> pl.DataFrame:
    """USER, `COUNTS_SCHEMA` and `clearly_above`: even the low end of the interval is above the shop's
    rate."""
    counts, rate = _counts(lines, USER), shop_rate(lines)
    found = _with_rates(counts, pl.repeat(rate, len(counts), eager=True), level=level, by=USER)
    is_above = (pl.col("low") > rate) & (pl.col("returned_lines") > 0)
    return found.drop("people", "returned_people").with_columns(is_above.alias("clearly_above"))


def _counts(lines: pl.DataFrame, by: str, *more: pl.Expr) -> pl.DataFrame:
    came_back = pl.col(RETURNED) > 0
    share = pl.col(RETURNED) / pl.col(c.QUANTITY)
    priced = pl.col(AMOUNT).count() > 0
    return lines.group_by(by).agg(
        *more,
        pl.len().alias("lines"),
        came_back.sum().alias("returned_lines"),
        pl.col(USER).n_unique().alias("people"),
        pl.col(USER).filter(came_back).n_unique().alias("returned_people"),
        pl.col(c.QUANTITY).sum().alias("units"),
        pl.col(RETURNED).sum().alias("returned_units"),
        pl.when(priced).then(pl.col(AMOUNT).sum()).alias("value"),
        pl.when(priced).then((pl.col(AMOUNT) * share).sum()).alias("returned_value"),
    )


def _with_rates(
    counts: pl.DataFrame, parent: pl.Series, *, level: float, by: str, more: tuple[str, ...] = ()
) -> pl.DataFrame:
    cases, of = (counts[name].to_numpy().astype(np.float64) for name in ("returned_lines", "lines"))
    rates = shrunk(cases, of, parent=parent.to_numpy(), level=level)
    named = counts.with_columns(
        pl.col(by).cast(pl.String),
        (pl.col("returned_lines") / pl.col("lines")).alias("rate"),
        pl.Series("shrunk_rate", rates.rate),
        pl.Series("low", rates.low),
        pl.Series("high", rates.high),
    )
    return named.select(by, *more, *(pl.col(name).cast(kind) for name, kind in COUNTS_SCHEMA.items())).sort(
        "shrunk_rate", by, descending=[True, False]
    )
