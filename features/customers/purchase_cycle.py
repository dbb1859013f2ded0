"""The purchase cycle: the median number of days between two days with a purchase."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.customers.customer_events import DAY
from features.customers.profile_columns import USER

MIN_DAYS: Final = 3
"""Days with a purchase that an own cycle needs: two gaps."""

SHOP_CYCLE: Final = "shop_cycle_days"
"""The entry of a bundle's manifest"""

DEFAULT_CYCLE_DAYS: Final = 30.0
"""Of a shop where nobody has bought on two days."""


def own_cycle(days: NDArray[np.int64] | Sequence[int]) -> float:
    """Of one customer's days with a purchase (numbers of days, in any order); NaN below three."""
    distinct = np.unique(np.asarray(days, np.int64))
    return float(np.median(np.diff(distinct))) if len(distinct) >= MIN_DAYS else float("nan")


def purchase_cycles(purchases: pl.DataFrame) -> pl.DataFrame:
    """USER, `order_days`, `gap_days` (the median gap, null with one day) and `cycle_days` (the same, null
    below three days) of everybody who bought."""
    days = purchases.select(USER, DAY).unique().sort(pl.col(USER).to_physical(), DAY)
    gap = pl.when(pl.col(USER) == pl.col(USER).shift(1)).then(pl.col(DAY).diff().dt.total_days())
    found = (
        days.with_columns(gap.alias("_gap"))
        .group_by(USER)
        .agg(pl.len().alias("order_days"), pl.col("_gap").median().alias("gap_days"))
    )
    own = pl.when(pl.col("order_days") >= MIN_DAYS).then(pl.col("gap_days"))
    return found.with_columns(own.alias("cycle_days"))


def shop_cycle(gaps: pl.Series) -> float:
    """The median customer's median gap, days: for those who have no cycle of their own."""
    median = gaps.median()
    return DEFAULT_CYCLE_DAYS if median is None else float(median)  # type: ignore[arg-type]


def shop_cycle_of(users: NDArray[np.integer[Any]], times: NDArray[np.int64]) -> float:
    """`shop_cycle` of purchases (E,) by user index and time (microseconds), by the days of UTC."""
    days = pl.Series(times, dtype=pl.Datetime("us")).dt.date()
    purchases = pl.DataFrame({USER: pl.Series(users, dtype=pl.UInt32), DAY: days})
    return shop_cycle(purchase_cycles(purchases)["gap_days"])
