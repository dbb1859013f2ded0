"""What is known of customers as of a moment: by hand, and that nothing later is in it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from forecast_shop import DAY, drawn_shop, events_from, line
from hypothesis import given, settings
from hypothesis import strategies as st

from training.forecasts.customers import COLUMNS, customers_as_of
from training.forecasts.outcomes import examples_before, outcomes_after
from training.forecasts.shop_events import ShopEvents


def visit(user: str, day: float, **kind: bool) -> dict[str, Any]:
    return {
        "user_id": user,
        "time": round(day * DAY),
        "session": int(day),
        "is_view": True,
        "is_cart": False,
        **kind,
    }


def shop() -> ShopEvents:
    """Anna orders on days 10, 30 (two receipts), 40 and 95, brings something back; Ben orders once; Cleo does
    after day 100 alone."""
    lines = [
        line("anna", 10.2, value=20.0, new_item=True, new_category=True),
        line("anna", 30.1, "oil", value=10.0, new_item=True, new_category=True, quantity=3.0),
        line("anna", 30.3, value=5.0, discounted=True),
        line("anna", 33.0, value=5.0, is_refund=True),
        line("anna", 40.5, value=None),
        line("anna", 95.25, value=40.0),
        line("ben", 50.0, value=8.0, new_item=True, new_category=True),
        line("cleo", 120.0),
        line("anna", 104.0, value=7.0),
        line("anna", 104.1, value=7.0),
        line("anna", 110.0, value=7.0),
        line("anna", 111.0, value=1.5, is_refund=True),
    ]
    visits = [visit("anna", 69.0), visit("anna", 80.0, is_cart=True, is_view=False), visit("anna", 99.0)]
    return events_from(lines, visits)


def known(events: ShopEvents, user: str, as_of: float) -> dict[str, float]:
    customers = customers_as_of(events, round(as_of * DAY))
    numbers = dict(events.users.select("user_id", "user").iter_rows())
    return customers.frame.filter(pl.col("user") == numbers[user]).row(0, named=True)


def test_what_is_known_of_a_customer_by_hand() -> None:
    anna = known(shop(), "anna", 100)
    exact = {
        **{"recency": 4.75, "tenure": 89.8, "orders": 4, "interval_mean": 85 / 3, "interval_last": 55},
        **{
            "value": 70,
            "value_mean": 75 / 4,
            "value_last": 40,
            "value_max": 40,
            "value_30": 40,
            "value_90": 75,
        },
        **{"orders_30": 1, "orders_90": 4, "orders_180": 4, "categories": 2, "lines_mean": 5 / 4},
        **{"new_item_share": 2 / 5, "discounted_share": 1 / 5, "refunded_share": 5 / 75},
        **{"quantity_mean": 7 / 4, "orders_trend": 1 - 4 / 3, "value_trend": 15, "overdue": 4.75 / (85 / 3)},
        **{"visit_recency": 1, "sessions_30": 2, "views_30": 1, "views_90": 2, "carts_30": 1, "carts_90": 1},
    }
    assert {name: anna[name] for name in exact} == pytest.approx(exact, abs=1e-6)
    assert anna["interval_sd"] == pytest.approx(np.std([20, 10, 55]), abs=1e-6)
    parts = [anna[f"{part}_share"] for part in ("night", "morning", "afternoon", "evening")]
    assert parts == pytest.approx([0.5, 0.25, 0.25, 0])  # 4:48, 2:24, 12:00, 6:00


def test_who_bought_once_has_no_interval_and_who_came_later_is_nobody_yet() -> None:
    ben = known(shop(), "ben", 100)
    assert [ben[name] for name in ("interval_mean", "interval_sd", "overdue", "views_30")] == [None] * 4
    assert ben["orders"] == 1
    customers = customers_as_of(shop(), 100 * DAY)
    assert len(customers) == 2
    assert customers.num_repeat_buyers == 1
    assert customers.histories.repeats.tolist() == [3, 0]
    assert customers.histories.recency.tolist() == pytest.approx([85.05, 0])
    assert np.isnan(customers.columns[1, COLUMNS.index("interval_mean")])


def test_what_came_after_a_moment_is_counted_in_days_and_without_what_came_back() -> None:
    events = shop()
    came = outcomes_after(customers_as_of(events, 100 * DAY), events, days=20)
    assert came.orders.tolist() == [2, 0]
    assert came.purchase.tolist() == [1, 0]
    assert came.spend is not None
    assert came.spend.tolist() == pytest.approx([19.5, 0])
    shorter = outcomes_after(customers_as_of(events, 100 * DAY), events, days=4)
    assert shorter.orders.tolist() == [0, 0]  # day 104 is the fifth


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["anna", "ben", "dora"]), st.floats(0, 50), st.booleans(), st.booleans()),
        max_size=8,
    )
)
def test_no_column_changes_when_something_happens_later(later: list[tuple[str, float, bool, bool]]) -> None:
    """Whatever is appended at or after the moment: purchases, refunds, visits, new customers."""
    events, as_of = shop(), 100 * DAY
    before = customers_as_of(events, as_of)
    numbers = {"anna": 0, "ben": 1, "dora": 9}
    more = [
        line(user, 100 + day, is_refund=refund, value=1e6, new_item=True, discounted=True)
        for user, day, refund, visits in later
        if not visits
    ]
    looked = [visit(user, 100 + day) for user, day, _, visits in later if visits]
    lines, visits = events.lines, events.visits
    if more:
        extra = events_from(more).lines.with_columns(
            pl.Series(
                "user",
                [numbers[one["user_id"]] for one in sorted(more, key=lambda one: one["time"])],
                pl.UInt32,
            )
        )
        lines = pl.concat([lines, extra.select(lines.columns)])
    if looked:
        extra = pl.DataFrame(looked).with_columns(
            pl.col("user_id").replace_strict(numbers, return_dtype=pl.UInt32).alias("user"),
            pl.col("session").cast(pl.UInt32),
        )
        visits = pl.concat([visits, extra.select(visits.columns)])
    after = customers_as_of(replace(events, lines=lines, visits=visits), as_of)
    assert after.frame.equals(before.frame)


def test_examples_end_where_their_days_are_over() -> None:
    events = drawn_shop()
    as_of = events.end - 30 * DAY
    examples = examples_before(events, as_of, days=30, num_moments=4)
    each = [customers_as_of(events, as_of - number * 30 * DAY) for number in (1, 2)]
    assert len(examples.customers) == sum(map(len, each))  # 170 days are known: two windows are under half
    hidden = replace(events, lines=events.lines.filter(pl.col("time") < as_of))
    again = examples_before(hidden, as_of, days=30, num_moments=4)
    assert np.array_equal(again.outcomes.orders, examples.outcomes.orders)
    assert again.customers.frame.equals(examples.customers.frame)
