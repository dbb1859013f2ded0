"""What is known of every customer as of a moment, from the events before it alone.

An order is what a user buys on one day; several receipts of a day are one, as in the papers on buying
behaviour. Days are counted back from the moment, so that none of them lies on both sides of it. Legend: U
customers, F columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.core.columns import MICROSECONDS_PER_DAY
from training.forecasts.bg_nbd import PurchaseHistories
from training.forecasts.shop_events import ShopEvents

SPANS: Final = (30, 90, 180)
"""Days of what is counted lately."""
HALF_LIFE: Final = 60.0
"""Days after which an order counts half in `orders_decayed`."""
MAX_OVERDUE: Final = 10.0
"""Beyond so many of the customer's own intervals it is all the same."""
PARTS_OF_DAY: Final = ("night", "morning", "afternoon", "evening")
"""Six hours each, UTC."""

COLUMNS: Final = (
    *("recency", "tenure", "orders", "orders_decayed"),
    *("interval_mean", "interval_sd", "interval_last", "overdue"),
    *("value", "value_mean", "value_last", "value_max"),
    *("lines_mean", "quantity_mean", "categories", "new_item_share", "discounted_share", "refunded_share"),
    *(f"orders_{days}" for days in SPANS),
    *(f"value_{days}" for days in SPANS),
    *("orders_trend", "value_trend", "weekend_share"),
    *(f"{part}_share" for part in PARTS_OF_DAY),
    *("visit_recency", "sessions_30", "views_30", "views_90", "carts_30", "carts_90"),
)
"""What the trees read. Values are of money; times are days; `overdue` is the time since the last order in the
customer's own intervals; a trend is the last 30 days beside a third of the last 90."""


@dataclass(frozen=True)
class Customers:
    """Everybody who ordered before a moment, by number."""

    as_of: int
    """Microseconds"""
    frame: pl.DataFrame
    """(U,) user, `COLUMNS`; null where nothing is known"""

    def __len__(self) -> int:
        return len(self.frame)

    def column(self, name: str) -> NDArray[np.float64]:
        """(U,) one of `COLUMNS`, NaN where nothing is known."""
        found: NDArray[np.float64] = self.frame[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        return found

    @property
    def columns(self) -> NDArray[np.float32]:
        """(U, F) `COLUMNS`, NaN where nothing is known."""
        return self.frame.select(pl.col(COLUMNS).cast(pl.Float32).fill_null(float("nan"))).to_numpy()

    @property
    def histories(self) -> PurchaseHistories:
        """What BG/NBD reads, in days."""
        tenure = self.column("tenure")
        return PurchaseHistories(self.column("orders") - 1, tenure - self.column("recency"), tenure)

    @property
    def num_repeat_buyers(self) -> int:
        """Customers with two orders or more."""
        return int((self.frame["orders"] > 1).sum())


def customers_as_of(events: ShopEvents, as_of: int) -> Customers:
    """Everybody who ordered before a moment (microseconds), and what was known of them then.

    Threads add up in any order, so numbers are rounded: the same events give the same columns.
    """
    lines = events.lines.lazy().filter(pl.col("time") < as_of).with_columns(_days_before(as_of))
    orders = _orders(lines.filter(~pl.col("is_refund")), as_of)
    frame = (
        _by_customer(orders)
        .join(_refunds(lines), on="user", how="left")
        .join(_visits(events.visits.lazy(), as_of), on="user", how="left")
        .with_columns(*_from_others())
        .sort("user")
        .select("user", pl.col(COLUMNS).cast(pl.Float64).round(6))
        .collect()
    )
    return Customers(as_of, frame)


def _days_before(as_of: int) -> pl.Expr:
    return ((as_of - 1 - pl.col("time")) // MICROSECONDS_PER_DAY).cast(pl.Int32).alias("day")


def _orders(bought: pl.LazyFrame, as_of: int) -> pl.LazyFrame:
    """A row an order, by user and time; `interval`: days since the user's order before it."""
    start = pl.col("time").cast(pl.Datetime("us"))
    gap = pl.col("day").shift(1) - pl.col("day")
    return (
        bought.group_by("user", "day")
        .agg(
            pl.col("time").min(),
            pl.col("value", "quantity").sum().round(6),
            pl.len().alias("lines"),
            pl.col("discounted", "new_item", "new_category").sum(),
        )
        .sort("user", "day", descending=[False, True])
        .with_columns(
            ((as_of - pl.col("time")) / MICROSECONDS_PER_DAY).alias("ago"),
            pl.when(pl.col("user") == pl.col("user").shift(1)).then(gap).cast(pl.Float64).alias("interval"),
            (start.dt.weekday() > 5).alias("weekend"),
            (start.dt.hour() // 6).alias("part"),
        )
    )


def _by_customer(orders: pl.LazyFrame) -> pl.LazyFrame:
    day, value, interval = pl.col("day"), pl.col("value"), pl.col("interval")
    return orders.group_by("user").agg(
        pl.col("ago").min().alias("recency"),
        pl.col("ago").max().alias("tenure"),
        pl.len().cast(pl.Float64).alias("orders"),
        (day * (-np.log(2) / HALF_LIFE)).exp().sum().alias("orders_decayed"),
        interval.mean().alias("interval_mean"),
        pl.when(pl.len() > 1).then(interval.std(ddof=0)).alias("interval_sd"),
        interval.last().alias("interval_last"),
        value.sum().alias("bought"),
        value.mean().alias("value_mean"),
        value.last().alias("value_last"),
        value.max().alias("value_max"),
        pl.col("lines").mean().alias("lines_mean"),
        pl.col("lines").sum().alias("lines"),
        pl.col("quantity").mean().alias("quantity_mean"),
        pl.col("new_category").sum().alias("categories"),
        pl.col("new_item", "discounted").sum(),
        *((day < days).sum().cast(pl.Float64).alias(f"orders_{days}") for days in SPANS),
        *((value * (day < days)).sum().alias(f"value_{days}") for days in SPANS),
        pl.col("weekend").mean().alias("weekend_share"),
        *(
            (pl.col("part") == number).mean().alias(f"{part}_share")
            for number, part in enumerate(PARTS_OF_DAY)
        ),
    )


def _refunds(lines: pl.LazyFrame) -> pl.LazyFrame:
    return lines.filter("is_refund").group_by("user").agg(pl.col("value").sum().alias("refunded"))


def _visits(visits: pl.LazyFrame, as_of: int) -> pl.LazyFrame:
    lately = {days: pl.col("day") < days for days in (30, 90)}
    return (
        visits.filter(pl.col("time") < as_of)
        .with_columns(_days_before(as_of))
        .group_by("user")
        .agg(
            ((as_of - pl.col("time").max()) / MICROSECONDS_PER_DAY).alias("visit_recency"),
            pl.col("session").filter(lately[30]).n_unique().alias("sessions_30"),
            *((pl.col("is_view") & lately[days]).sum().alias(f"views_{days}") for days in (30, 90)),
            *((pl.col("is_cart") & lately[days]).sum().alias(f"carts_{days}") for days in (30, 90)),
        )
    )


def _from_others() -> list[pl.Expr]:
    """The columns that are made of others."""
    refunded = pl.col("refunded").fill_null(0.0)
    return [
        (pl.col("bought") - refunded).clip(lower_bound=0).alias("value"),
        pl.when(pl.col("bought") > 0).then(refunded / pl.col("bought")).alias("refunded_share"),
        (pl.col("recency") / pl.col("interval_mean")).clip(upper_bound=MAX_OVERDUE).alias("overdue"),
        (pl.col("new_item") / pl.col("lines")).alias("new_item_share"),
        (pl.col("discounted") / pl.col("lines")).alias("discounted_share"),
        (pl.col("orders_30") - pl.col("orders_90") / 3).alias("orders_trend"),
        (pl.col("value_30") - pl.col("value_90") / 3).alias("value_trend"),
    ]
