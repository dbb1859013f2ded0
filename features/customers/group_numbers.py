"""The numbers by which customers are put into groups, and how people say what is high or low in them.

Shapes: P people, F numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

SHRINK_ORDERS: Final = 3.0
"""A share of few orders is drawn towards the shop's mean, as if so many orders at the mean came on top: one
order in the evening makes nobody an evening customer."""

CLIP: Final = 3.0
"""Standardised numbers count no more than this: a single wholesaler makes no group."""

IQR_OF_NORMAL: Final = 1.349


@dataclass(frozen=True)
class GroupNumber:
    """One of the numbers."""

    name: str
    high: str
    """What people say of a group in which it is high"""
    low: str
    unit: str
    """What a mean of it is a mean of"""
    is_log: bool = False
    """Whether the logarithm of 1 + it is compared: twice as much is as far as half as much"""


NUMBERS: Final = (
    GroupNumber("order_rate", "buys often", "buys seldom", "orders in 30 days", is_log=True),
    GroupNumber("average_order", "large orders", "small orders", "value of an order", is_log=True),
    GroupNumber(
        "order_lines", "many products at a time", "few products at a time", "products an order", is_log=True
    ),
    GroupNumber("price_level", "expensive products", "cheap products", "price level"),
    GroupNumber("discount_share", "much on discount", "little on discount", "on discount"),
    GroupNumber("refund_share", "sends much back", "keeps what it bought", "sent back"),
    GroupNumber(
        "variety", "something new each time", "the same again", "different products among those bought"
    ),
    GroupNumber("views_per_order", "looks around a lot", "decides fast", "views an order", is_log=True),
    GroupNumber("morning_share", "mornings", "not in the morning", "orders in the morning"),
    GroupNumber("evening_share", "evenings", "not in the evening", "orders in the evening"),
    GroupNumber("weekend_share", "at weekends", "on working days", "orders at weekends"),
)


def group_numbers(buyers: pl.DataFrame) -> pl.DataFrame:
    """(P, F) of profiles with an order; NaN where a number is not known. How long ago the last order was is
    not among them: that is the life stage, and would move people from group to group by waiting."""
    orders = pl.col("orders")
    tenure = (
        pl.col("days_since_order") + (pl.col("last_order") - pl.col("first_order")).dt.total_days()
    ).clip(30)
    rates = buyers.select(
        (30 * orders / tenure).log1p().alias("order_rate"),
        pl.col("average_order").log1p(),
        (pl.col("lines") / orders).log1p().alias("order_lines"),
        "price_level",
        "discount_share",
        "refund_share",
        (pl.col("products") / pl.col("lines")).alias("variety"),
        (pl.col("views") / orders).log1p().alias("views_per_order"),
        "morning_share",
        "evening_share",
        "weekend_share",
        orders.alias("_orders"),
    )
    shares = [one.name for one in NUMBERS if not one.is_log]
    share, count = pl.col(shares), pl.col("_orders")
    found = rates.with_columns((share * count + SHRINK_ORDERS * share.mean()) / (count + SHRINK_ORDERS))
    return found.select(pl.col(one.name).cast(pl.Float64).fill_null(float("nan")) for one in NUMBERS)


@dataclass(frozen=True)
class Scale:
    """How numbers are made comparable: the median is 0, and a usual distance from it 1."""

    names: tuple[str, ...]
    """(F,) the numbers that tell people apart at all"""
    centres: Matrix
    """(F,)"""
    widths: Matrix
    """(F,)"""

    @classmethod
    def of(cls, numbers: pl.DataFrame) -> Scale:
        """By the median and the quartiles; by the standard deviation where the quartiles are one."""
        values = {name: numbers[name].to_numpy() for name in numbers.columns}
        known = {name: column[~np.isnan(column)] for name, column in values.items()}
        widths = {name: _width(column) for name, column in known.items()}
        names = tuple(name for name, width in widths.items() if width > 1e-9)
        return cls(
            names=names,
            centres=np.array([float(np.median(known[name])) for name in names]),
            widths=np.array([widths[name] for name in names]),
        )

    def standardised(self, numbers: pl.DataFrame) -> Matrix:
        """(P, F) clipped; 0 where a number is not known."""
        values = numbers.select(self.names).to_numpy()
        scaled = np.nan_to_num((values - self.centres) / self.widths, nan=0.0)
        clipped: Matrix = np.clip(scaled, -CLIP, CLIP)
        return clipped

    def back(self, standardised: Matrix) -> Matrix:
        """What standardised numbers were."""
        raw: Matrix = standardised * self.widths + self.centres
        return raw


def _width(values: Matrix) -> float:
    if len(values) < 2:
        return 0.0
    low, high = np.quantile(values, [0.25, 0.75])
    return float((high - low) / IQR_OF_NORMAL) or float(values.std())
