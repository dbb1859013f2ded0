"""The shop at a glance: customers, orders, revenue, and the same by month."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

from features.report.empty import Empty
from features.report.shop_events import AMOUNT, DAY, ORDER, PERSON, USER, num_people, purchases


@dataclass(frozen=True)
class Month:
    """A calendar month with enough buyers."""

    month: date
    orders: int
    revenue: float | None


@dataclass(frozen=True)
class Glance:
    """Revenue is what was bought less what was brought back; an average order is before that."""

    first_day: date | None
    last_day: date | None
    customers: int
    orders: int
    guest_orders: int | None
    """None where fewer people than may be shown made them"""
    revenue: float | None
    refunded: float | None
    average_order: float | None
    priced_share: float
    """Of the rows of all orders, those with a price"""
    repeat_share: float | None
    """Of the customers, those with two orders or more; None where they are fewer than may be shown"""
    months: list[Month]
    num_hidden_months: int
    """Months with an order, and too few buyers to be shown"""


def glance(events: pl.DataFrame, *, has_times: bool, min_people: int) -> Glance | Empty:
    """Of the rows of `shop_events`."""
    bought = purchases(events)
    if bought.is_empty():
        return Empty("no_purchases")
    of_known = bought.drop_nulls(USER)
    by_guests = bought.filter(pl.col(USER).is_null())
    if num_people(bought, ORDER) < min_people:
        return Empty("few_customers", {"people": min_people})
    orders = bought[ORDER].n_unique()
    value = float(bought[AMOUNT].sum()) if bought[AMOUNT].count() else None
    refunds = events.filter(pl.col("event_type") == "refund")
    refunded = None if value is None else -float(refunds[AMOUNT].sum())
    months, hidden = _months(bought, refunds, min_people=min_people) if has_times else ([], 0)
    return Glance(
        first_day=events[DAY].min() if has_times else None,  # type: ignore[arg-type]
        last_day=events[DAY].max() if has_times else None,  # type: ignore[arg-type]
        customers=of_known[USER].n_unique(),
        orders=orders,
        guest_orders=by_guests[ORDER].n_unique() if num_people(by_guests, ORDER) >= min_people else None,
        revenue=None if value is None or refunded is None else value - refunded,
        refunded=refunded,
        average_order=None if value is None else value / orders,
        priced_share=bought[AMOUNT].count() / len(bought),
        repeat_share=_repeat_share(of_known, min_people=min_people),
        months=months,
        num_hidden_months=hidden,
    )


def _repeat_share(of_known: pl.DataFrame, *, min_people: int) -> float | None:
    orders = of_known.group_by(USER).agg(pl.col(ORDER).n_unique())[ORDER]
    again = int((orders >= 2).sum())
    return again / len(orders) if again >= min_people else None


def _months(bought: pl.DataFrame, refunds: pl.DataFrame, *, min_people: int) -> tuple[list[Month], int]:
    month = pl.col(DAY).dt.truncate("1mo")
    who = pl.coalesce(PERSON, ORDER)
    value = pl.when(pl.col(AMOUNT).count() > 0).then(pl.col(AMOUNT).sum())
    found = bought.group_by(month).agg(
        pl.col(ORDER).n_unique(), who.n_unique().alias("_people"), value.alias("_value")
    )
    back = refunds.group_by(month).agg(pl.col(AMOUNT).sum().alias("_back"))
    rows = found.join(back, on=DAY, how="left").sort(DAY)
    shown = rows.filter(pl.col("_people") >= min_people)
    revenue = pl.col("_value") + pl.col("_back").fill_null(0)
    months = [Month(*row) for row in shown.select(DAY, ORDER, revenue).iter_rows()]
    return months, len(rows) - len(shown)
