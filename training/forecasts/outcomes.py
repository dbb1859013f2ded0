"""What customers did in the days after a moment, and what was forecast of it. Legend: U customers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.core.columns import MICROSECONDS_PER_DAY
from training.forecasts.customers import Customers, customers_as_of
from training.forecasts.shop_events import ShopEvents

Floats = NDArray[np.float64]
MAX_EXAMPLES: Final = 200_000
"""Customers that the trees and the rules learn from at each moment, drawn with a fixed seed."""


@dataclass(frozen=True)
class Forecasts:
    """What is said, or what came true, of the days after a moment."""

    purchase: Floats
    """(U,) the probability of an order; as an outcome 0 or 1"""
    orders: Floats
    """(U,) number of orders: days with one"""
    spend: Floats | None
    """(U,) money, without what was brought back; None in a shop without prices"""

    def take(self, which: NDArray[np.intp]) -> Forecasts:
        """Of some customers."""
        spend = None if self.spend is None else self.spend[which]
        return Forecasts(self.purchase[which], self.orders[which], spend)


@dataclass(frozen=True)
class Examples:
    """Customers at some moments of the past, and what each did in the days after."""

    customers: Customers
    """(U,) of all moments, one after another"""
    outcomes: Forecasts


def outcomes_after(customers: Customers, events: ShopEvents, *, days: float) -> Forecasts:
    """What they did in the days from their moment on."""
    as_of, length = customers.as_of, int(days * MICROSECONDS_PER_DAY)
    within = events.lines.lazy().filter(pl.col("time").is_between(as_of, as_of + length, closed="left"))
    signed = pl.when("is_refund").then(-pl.col("value")).otherwise(pl.col("value"))
    day = (pl.col("time") - as_of) // MICROSECONDS_PER_DAY
    found = within.group_by("user").agg(
        day.filter(~pl.col("is_refund")).n_unique().alias("orders"), signed.sum().alias("spend")
    )
    rows = customers.frame.lazy().select("user").join(found, on="user", how="left", maintain_order="left")
    table = rows.select(pl.col("orders", "spend").fill_null(0).cast(pl.Float64)).collect()
    orders = table["orders"].to_numpy()
    spend = np.maximum(table["spend"].to_numpy(), 0.0) if events.has_prices else None
    return Forecasts((orders > 0).astype(np.float64), orders, spend)


def examples_before(events: ShopEvents, as_of: int, *, days: float, num_moments: int) -> Examples:
    """Examples whose days after are over at `as_of`: the newest windows, as many as `num_moments`, in at most
    half of what is known then."""
    length = int(days * MICROSECONDS_PER_DAY)
    span = as_of - events.first_time
    moments = [as_of - number * length for number in range(1, num_moments + 1)]
    moments = [moment for moment in moments if moment == moments[0] or as_of - moment <= span / 2]
    parts = [_drawn(customers_as_of(events, moment), events, days=days) for moment in moments]
    spends = [part.outcomes.spend for part in parts]
    return Examples(
        Customers(as_of, pl.concat([part.customers.frame for part in parts])),
        Forecasts(
            np.concatenate([part.outcomes.purchase for part in parts]),
            np.concatenate([part.outcomes.orders for part in parts]),
            np.concatenate([one for one in spends if one is not None]) if events.has_prices else None,
        ),
    )


def _drawn(customers: Customers, events: ShopEvents, *, days: float) -> Examples:
    if len(customers) > MAX_EXAMPLES:
        which = np.random.default_rng(0).choice(len(customers), MAX_EXAMPLES, replace=False)
        customers = Customers(customers.as_of, customers.frame[np.sort(which)])
    return Examples(customers, outcomes_after(customers, events, days=days))
