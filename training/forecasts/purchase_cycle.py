"""After how many days customers order again, where some have not yet: Kaplan and Meier's estimate.

The mean of the intervals that are over would be too short: the long ones are still open. An open interval
counts as long as it has lasted (right-censored). Source: Kaplan and Meier (1958), Nonparametric Estimation
from Incomplete Observations, JASA 53.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import CensoredData, ecdf

from features.core.columns import MICROSECONDS_PER_DAY
from training.forecasts.shop_events import ShopEvents

NUM_CATEGORIES: Final = 10
"""Those with the most customers."""


@dataclass(frozen=True)
class PurchaseCycle:
    """The days from one order to the next, over orders."""

    name: str
    """The category's path; empty for everything"""
    customers: int
    orders: int
    open_share: float
    """The share of them that none has followed yet"""
    quarter_days: float | None
    """A quarter are followed by another within so many days; None where that is not seen in the data"""
    median_days: float | None
    """The same of half"""
    within_days: float
    """The share that is followed by another within the days of the forecast"""

    @classmethod
    def of(
        cls,
        intervals: NDArray[np.float64],
        is_open: NDArray[np.bool_],
        *,
        name: str,
        customers: int,
        days: float,
    ) -> Self:
        """Of intervals in days, at least one, some of which are still open."""
        estimate = ecdf(CensoredData(intervals[~is_open], right=intervals[is_open])).sf
        times, survival = estimate.quantiles, estimate.probabilities
        return cls(
            name=name,
            customers=customers,
            orders=len(intervals),
            open_share=float(is_open.mean()),
            quarter_days=_first(times, survival <= 0.75 + 1e-12),
            median_days=_first(times, survival <= 0.5 + 1e-12),
            within_days=1 - float(estimate.evaluate(days)),
        )


def _first(times: NDArray[np.float64], reached: NDArray[np.bool_]) -> float | None:
    return float(times[reached.argmax()]) if reached.any() else None


def purchase_cycles(events: ShopEvents, *, days: float) -> list[PurchaseCycle]:
    """Of everything, and of the categories with the most customers, as of the last event."""
    day = ((events.end - 1 - pl.col("time")) // MICROSECONDS_PER_DAY).cast(pl.Int32).alias("day")
    bought = events.lines.lazy().filter(~pl.col("is_refund")).select("user", "category", day)
    everything = _intervals(bought.select("user", "day"), []).collect()
    found = [_cycle(everything, name="", days=days)]
    largest = (
        bought.filter(pl.col("category").is_not_null())
        .group_by("category")
        .agg(pl.col("user").n_unique().alias("customers"))
        .join(events.categories.lazy(), on="category")
        .sort("customers", "name", descending=[True, False])
        .head(NUM_CATEGORIES)
        .collect()
    )
    within = _intervals(
        bought.filter(pl.col("category").is_in(largest["category"].implode())), ["category"]
    ).collect()
    names = dict(events.categories.select("category", "name").iter_rows())
    for category in largest["category"]:
        found.append(_cycle(within.filter(pl.col("category") == category), name=names[category], days=days))
    return found


def _intervals(bought: pl.LazyFrame, keys: list[str]) -> pl.LazyFrame:
    """A row an order: the days until the user's next one, or until the end where there is none (`open`)."""
    of = [*keys, "user"]
    newer = pl.col("day").shift(1).over(of)
    return (
        bought.unique()
        .sort(*of, "day")
        .with_columns(newer.is_null().alias("open"), (pl.col("day") - newer.fill_null(0)).alias("interval"))
        .filter(pl.col("interval") > 0)
    )


def _cycle(intervals: pl.DataFrame, *, name: str, days: float) -> PurchaseCycle:
    if intervals.is_empty():  # everybody ordered on the last day alone
        return PurchaseCycle(name, 0, 0, math.nan, None, None, math.nan)
    return PurchaseCycle.of(
        intervals["interval"].cast(pl.Float64).to_numpy(),
        intervals["open"].to_numpy(),
        name=name,
        customers=intervals["user"].n_unique(),
        days=days,
    )
