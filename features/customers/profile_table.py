"""One row a customer: what their events say, from the small columns of `customer_events`."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import polars as pl

from features.core import columns as c
from features.customers.customer_events import (
    CHANNEL,
    DEVICE,
    HOUR,
    ITEM,
    ORDER,
    SOURCE,
    TIME,
    VISIT,
    WEEKDAY,
)
from features.customers.favourites import favourites
from features.customers.price_levels import AMOUNT, BAND, BANDS, CATEGORY, IS_DISCOUNT, LEVEL
from features.customers.profile_columns import USER
from features.customers.purchase_cycle import purchase_cycles

_LOOKS: Final = ("select_item", "view_item")
_SECONDS_PER_DAY: Final = 86_400.0

DECIMALS: Final = 4
"""Of the numbers: sums of prices have no further ones"""


def profile_table(events: pl.DataFrame, lines: pl.DataFrame, *, as_of: datetime) -> pl.DataFrame:
    """The columns `SEEN`, `ORDERED`, `SPENT` and `HABITS` of `profile_columns`, and `gap_days`; by USER.

    `lines` are the purchases and refunds of `order_lines`. Money is null where no line has a price.
    """
    bought, visits = lines.filter(pl.col(c.EVENT_TYPE) == "purchase"), _by_visit(events)
    parts = [
        _ordered(bought),
        purchase_cycles(bought),
        _spent(lines),
        *_favourites(visits, bought),
    ]
    profiles = _seen(visits)
    for part in parts:
        profiles = profiles.join(part, on=USER, how="left")
    has_prices = lines[AMOUNT].count() > 0
    return (
        profiles.with_columns(
            pl.col("orders", "order_days", "lines", "products", "categories").fill_null(0),
            pl.col("units").fill_null(0.0),
            *_money(has_prices=has_prices),
            ((as_of - pl.col("last_order")).dt.total_microseconds() / (_SECONDS_PER_DAY * 1e6)).alias(
                "days_since_order"
            ),
            pl.col("_band").replace_strict(range(len(BANDS)), BANDS, return_dtype=pl.String).alias(BAND),
        )
        .with_columns(
            (pl.col("bought") / pl.col("orders").replace(0, None)).alias("average_order"),
            (pl.col("refunded") / pl.max_horizontal("bought", "refunded").replace(0.0, None)).alias(
                "refund_share"
            ),
            pl.col(USER).cast(pl.String),
            pl.col("hour").cast(pl.Int8),
        )
        .with_columns(pl.col(pl.Float64).round(DECIMALS))
        .drop("_band")
        .sort(USER)
    )


def _money(*, has_prices: bool) -> list[pl.Expr]:
    if not has_prices:
        return [pl.lit(None, pl.Float64).alias(name) for name in ("bought", "refunded", "spent")]
    gross, back = pl.col("bought").fill_null(0.0), pl.col("refunded").fill_null(0.0)
    return [gross.alias("bought"), back.alias("refunded"), (gross - back).alias("spent")]


def _by_visit(events: pl.DataFrame) -> pl.DataFrame:
    """One row a visit, with the device and the source that it began with."""
    looks = pl.col(c.EVENT_TYPE).is_in(_LOOKS)
    return events.group_by(USER, VISIT).agg(
        pl.col(TIME).min().alias("first_seen"),
        pl.col(TIME).max().alias("last_seen"),
        looks.sum().alias("views"),
        pl.col(DEVICE, SOURCE).first(),
    )


def _seen(visits: pl.DataFrame) -> pl.DataFrame:
    return visits.group_by(USER).agg(
        pl.col("first_seen").min(),
        pl.col("last_seen").max(),
        pl.len().alias("visits"),
        pl.col("views").sum().cast(pl.Int64),
    )


def _ordered(bought: pl.DataFrame) -> pl.DataFrame:
    """What the orders say; their hours and weekdays are those of their first line."""
    by_order = bought.group_by(USER, ORDER).agg(
        pl.col(TIME).min().alias("first_order"),
        pl.col(TIME).max().alias("last_order"),
        pl.col(HOUR, WEEKDAY).first(),
    )
    hour = pl.col(HOUR)
    of_orders = by_order.group_by(USER).agg(
        pl.col("first_order").min(),
        pl.col("last_order").max(),
        pl.len().alias("orders"),
        hour.is_between(5, 11).mean().alias("morning_share"),
        hour.is_between(18, 23).mean().alias("evening_share"),
        (pl.col(WEEKDAY) >= 6).mean().alias("weekend_share"),
    )
    of_items = (
        bought.group_by(USER, ITEM)
        .agg(
            pl.len().alias("lines"),
            pl.col(c.QUANTITY).fill_null(1).sum().alias("units"),
            pl.col(CATEGORY).first(),
            pl.col(IS_DISCOUNT).sum().alias("_discounts"),
            (pl.col(LEVEL).first() * pl.len()).alias("_level"),
            pl.col(LEVEL).count().alias("_leveled"),
        )
        .group_by(USER)
        .agg(
            pl.col("lines").sum(),
            pl.col("units").sum(),
            pl.len().alias("products"),
            pl.col(CATEGORY).drop_nulls().n_unique().alias("categories"),
            (pl.col("_discounts").sum() / pl.col("lines").sum()).alias("discount_share"),
            (pl.col("_level").sum() / pl.col("_leveled").sum().replace(0, None)).alias(LEVEL),
        )
    )
    hours = favourites(by_order, HOUR, names={"hour": 1})
    return of_orders.join(of_items, on=USER).join(hours, on=USER, how="left")


def _spent(lines: pl.DataFrame) -> pl.DataFrame:
    amount, event_type = pl.col(AMOUNT), pl.col(c.EVENT_TYPE)
    return lines.group_by(USER).agg(
        amount.filter(event_type == "purchase").sum().alias("bought"),
        amount.filter(event_type == "refund").sum().alias("refunded"),
    )


def _favourites(visits: pl.DataFrame, bought: pl.DataFrame) -> list[pl.DataFrame]:
    """The device and source of most visits, and what purchases are most of."""
    return [
        favourites(visits, DEVICE, names={DEVICE: 1}),
        favourites(visits, SOURCE, names={SOURCE: 1}),
        favourites(bought, CATEGORY, names={"favourite_category": 1, "favourite_categories": 3}),
        favourites(bought, c.BRAND, names={"favourite_brand": 1, "favourite_brands": 3}),
        favourites(bought, CHANNEL, names={CHANNEL: 1}),
        favourites(bought, BAND, names={"_band": 1}).with_columns(pl.col("_band").cast(pl.Int8)),
    ]
