"""Cohorts: the customers of each month of a first order, and how many of them came back.

The formulas, for a customer with orders on the days d1 < d2 < …:

- cohort: the month of d1
- came back in month k: there is an order in the k-th calendar month after the month of d1
- came back within n days: d2 - d1 <= n, counted for whoever's d1 is at least n days before the last day
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import polars as pl

from features.report.empty import Empty
from features.report.shop_events import DAY, USER, purchases

NUM_COHORTS: Final = 12
"""The newest ones are shown"""

WITHIN_DAYS: Final = (30, 60, 90, 180, 365)


@dataclass(frozen=True)
class Cohort:
    """The customers whose first order was in a month."""

    month: date
    people: int
    shares: list[float | None]
    """By month after the first: the share with an order in it; None where that is fewer people than may be
    shown"""


@dataclass(frozen=True)
class Return:
    """How many came back within some days of their first order."""

    days: int
    people: int
    """Customers whose first order is at least so long ago"""
    share: float | None
    """None where fewer people than may be shown came back"""


@dataclass(frozen=True)
class Cohorts:
    """What is shown."""

    cohorts: list[Cohort]
    """The oldest first"""
    num_hidden: int
    """Months with too few new customers to be shown"""
    returns: list[Return]
    first_month: date
    """Where the data begins: whoever bought then may have bought before"""
    last_day: date


def cohorts(events: pl.DataFrame, *, has_times: bool, min_people: int) -> Cohorts | Empty:
    """Of the rows of `shop_events`."""
    if not has_times:
        return Empty("no_times")
    days = purchases(events).drop_nulls(USER).select(USER, DAY).unique()
    if days.is_empty():
        return Empty("no_purchases")
    days = days.with_columns(pl.col(DAY).min().over(USER).alias("_first"))
    last_day: date = events[DAY].max()  # type: ignore[assignment]
    first_day: date = days[DAY].min()  # type: ignore[assignment]
    found, hidden = _cohorts(days, last_day, min_people=min_people)
    returns = _returns(days, last_day, min_people=min_people)
    if not found and not returns:
        return Empty("few_customers", {"people": min_people})
    return Cohorts(found, hidden, returns, first_month=first_day.replace(day=1), last_day=last_day)


def _cohorts(days: pl.DataFrame, last_day: date, *, min_people: int) -> tuple[list[Cohort], int]:
    active = (
        days.with_columns(
            pl.col("_first").dt.truncate("1mo").alias("_cohort"),
            (_month_number(DAY) - _month_number("_first")).alias("_after"),
        )
        .group_by("_cohort", "_after")
        .agg(pl.col(USER).n_unique().alias("_people"))
    )
    counts: dict[date, dict[int, int]] = {}
    for month, after, people in active.iter_rows():
        counts.setdefault(month, {})[after] = people
    recent = sorted(counts)[-NUM_COHORTS:]
    large = [month for month in recent if counts[month][0] >= min_people]
    found = []
    for month in large:
        people = counts[month][0]
        observed = (last_day.year - month.year) * 12 + last_day.month - month.month
        back = [counts[month].get(after, 0) for after in range(1, min(observed, NUM_COHORTS) + 1)]
        shares = [count / people if count >= min_people else None for count in back]
        found.append(Cohort(month, people, shares))
    return found, len(recent) - len(large)


def _month_number(column: str) -> pl.Expr:
    return pl.col(column).dt.year().cast(pl.Int64) * 12 + pl.col(column).dt.month()


def _returns(days: pl.DataFrame, last_day: date, *, min_people: int) -> list[Return]:
    later = pl.col(DAY).filter(pl.col(DAY) > pl.col("_first")).min()
    people = days.group_by(USER).agg(pl.col("_first").first(), later.alias("_second"))
    found = []
    for within in WITHIN_DAYS:
        old = people.filter(pl.col("_first") <= last_day - timedelta(days=within))
        if len(old) < min_people:
            continue
        gap = (old["_second"] - old["_first"]).dt.total_days()
        back = int((gap <= within).sum())
        found.append(Return(within, len(old), back / len(old) if back >= min_people else None))
    return found
