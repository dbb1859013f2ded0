"""What came back, rates of it, warnings and what fits instead, against plain references."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import fisher_exact

from configs.settings.returns import ReturnsConfig
from features.customers.fits_instead import KEPT, SELDOM, fits_instead
from features.customers.refund_matching import matched_lines
from features.customers.refund_rates import category_rates, customer_rates, product_rates
from features.customers.return_warnings import ALL, ITS_CATEGORY, OWN, return_warnings
from features.customers.shrinkage import shrunk

START = datetime(2024, 1, 1, tzinfo=UTC)
AS_OF = START + timedelta(days=100)
Line = tuple[str, str, float, float, bool]
"""User, item, day, units, and whether it came back"""
Event = tuple[str, str, str, float, str, float]
"""Event type, user, item, day, order and units"""


def at(day: float) -> datetime:
    return START + timedelta(days=day)


def order_lines(rows: Sequence[Event], category: str | None = "c") -> pl.DataFrame:
    """As `price_levels.order_lines`: (event type, user, item, day, order, units) at 10 a unit."""
    return pl.DataFrame(
        [
            {
                "event_type": event_type,
                "user_id": user,
                "item": item,
                "time": at(day),
                "order": order,
                "quantity": units,
                "amount": 10 * units,
                "category": category,
            }
            for event_type, user, item, day, order, units in rows
        ],
        schema_overrides={
            "user_id": pl.Categorical,
            "item": pl.Categorical,
            "category": pl.String,
            "time": pl.Datetime("us", "UTC"),
            "quantity": pl.Float64,
            "amount": pl.Float64,
        },
    ).with_columns(pl.col("order").hash())


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["purchase", "purchase", "refund"]),
        st.sampled_from("uv"),
        st.sampled_from("ab"),
        st.integers(0, 9),
        st.sampled_from(["o1", "o2", "o3"]),
        st.integers(1, 4),
    ),
    max_size=20,
)


@given(EVENTS)
def test_a_refund_takes_its_units_from_its_own_order_first_and_then_from_the_latest(
    rows: Sequence[Event],
) -> None:
    found, unmatched = matched_lines(order_lines([("purchase", "w", "z", 0, "o0", 1), *rows]))
    orders: dict[tuple[str, str, str], list[float]] = {}  # day, units left
    for kind, user, item, day, order, units in rows:
        if kind == "purchase":
            known = orders.setdefault((user, item, order), [day, 0])
            known[0], known[1] = min(known[0], day), known[1] + units
    bought = {key: left for key, (_, left) in orders.items()}
    hashes = {
        order: order_lines([("refund", "", "", 0, order, 1)])["order"][0] for order in ("o1", "o2", "o3")
    }
    missing = 0
    refunds = [row for row in rows if row[0] == "refund"]
    for _, user, item, day, order, units in sorted(refunds, key=lambda row: (row[3], hashes[row[4]], row[5])):
        before = [key for key in orders if key[:2] == (user, item) and orders[key][0] <= day]
        before.sort(key=lambda key: (key[2] == order, orders[key][0], hashes[key[2]]), reverse=True)
        rest = units
        for key in before:
            taken = min(rest, orders[key][1])
            orders[key][1] -= taken
            rest -= taken
        missing += rest == units
    assert unmatched == missing
    back = {
        (row["user_id"], row["item"], row["order"]): row["returned"] for row in found.iter_rows(named=True)
    }
    for (user, item, order), units in bought.items():
        assert back[user, item, hashes[order]] == units - orders[user, item, order][1]


def test_a_line_knows_when_it_came_back_first() -> None:
    rows = [
        ("purchase", "u", "a", 1, "o", 5),
        ("refund", "u", "a", 4, "r", 1),
        ("refund", "u", "a", 6, "s", 1),
    ]
    found, unmatched = matched_lines(order_lines(rows))
    row = found.row(0, named=True)
    assert (row["returned"], row["back_at"], row["amount"], unmatched) == (2, at(4), 50, 0)
    kept, _ = matched_lines(order_lines(rows[:1]))
    assert kept["back_at"].to_list() == [None]


def test_few_cases_are_drawn_towards_the_parent_and_many_stand_for_themselves() -> None:
    generator = np.random.default_rng(1)
    of = np.concatenate([np.full(200, 50.0), [2.0, 5000.0]])
    true = generator.beta(4, 36, size=202)
    cases = generator.binomial(of.astype(int), true).astype(float)
    cases[-2:] = [2, 1500]
    found = shrunk(cases, of, parent=np.full(202, 0.1), level=0.9)
    assert 25 < found.weight < 60, "M of the truth is 40"
    assert 0.1 < found.rate[-2] < 0.2, "two of two is not a rate of 100 %"
    assert found.rate[-1] == pytest.approx(0.3, abs=0.01)
    inside = (found.low[:200] <= true[:200]) & (true[:200] <= found.high[:200])
    assert 0.82 < inside.mean() < 0.97, "about nine intervals in ten hold the truth"
    assert np.abs(found.rate[:200] - true[:200]).mean() < np.abs(cases / of - true)[:200].mean()


def test_rates_by_product_category_and_customer() -> None:
    rows = [("purchase", f"u{n}", "shoe", n, f"o{n}", 2.0) for n in range(10)]
    rows += [("refund", "u1", "shoe", 20, "r1", 1.0), ("refund", "u2", "shoe", 20, "r2", 2.0)]
    lines, _ = matched_lines(order_lines(rows))
    categories = category_rates(lines, level=0.9)
    row = product_rates(lines, categories, level=0.9).row(0, named=True)
    assert {name: row[name] for name in ("item", "category", "lines", "returned_lines", "people")} == {
        "item": "shoe", "category": "c", "lines": 10, "returned_lines": 2, "people": 10,
    }  # fmt: skip
    assert (row["units"], row["returned_units"], row["value"], row["returned_value"]) == (20, 3, 200, 30)
    assert row["rate"] == 0.2
    assert 0 < row["low"] < row["shrunk_rate"] < row["high"] < 1
    people = customer_rates(lines, level=0.9)
    assert people["clearly_above"].sum() == 0, "one of one order says little"
    assert people.filter(pl.col("user_id") == "u1")["rate"].to_list() == [1.0]


def sold(lines: Sequence[Line], category: str | None = "c") -> pl.DataFrame:
    """Lines that came back three days after they were bought, or never."""
    rows = []
    for number, (user, item, day, units, back) in enumerate(lines):
        rows.append(("purchase", user, item, day, f"o{number}", units))
        if back:
            rows.append(("refund", user, item, day + 3, f"o{number}", units))
    return matched_lines(order_lines(rows, category))[0]


def many(item: str, *, count: int, back: int, day: float, who: str = "u") -> list[Line]:
    return [(f"{who}{n}", item, day + n / count, 1.0, n < back) for n in range(count)]


RULES = ReturnsConfig()


def test_a_bad_batch_is_warned_of_against_its_own_past_and_a_steady_product_is_not() -> None:
    lines = sold(
        [
            *many("cup", count=60, back=3, day=10),
            *many("cup", count=20, back=8, day=90),
            *many("tea", count=60, back=20, day=10),  # always a third
            *many("tea", count=20, back=7, day=90),
        ]
    )
    found = return_warnings(lines, RULES, as_of=AS_OF)
    assert found["item"].to_list() == ["cup", "tea"]
    row = found.row(0, named=True)
    assert (row["compared_with"], row["recent_returned"], row["compared_returned"]) == (OWN, 8, 3)
    plain = fisher_exact([[8, 12], [3, 57]], alternative="greater").pvalue
    assert row["p_value"] == pytest.approx(plain)
    assert found["is_warning"].to_list() == [True, False]


def test_a_new_product_is_compared_with_its_category_and_one_customer_makes_no_warning() -> None:
    others = many("old", count=100, back=5, day=10)
    found = return_warnings(sold([*others, *many("new", count=20, back=9, day=90)]), RULES, as_of=AS_OF)
    row = found.filter(pl.col("item") == "new").row(0, named=True)
    assert (row["compared_with"], row["is_warning"]) == (ITS_CATEGORY, True)
    alone = [
        ("one", item, day, units, back) for _, item, day, units, back in many("new", count=20, back=9, day=90)
    ]
    found = return_warnings(sold([*others, *alone]), RULES, as_of=AS_OF)
    row = found.filter(pl.col("item") == "new").row(0, named=True)
    assert (row["recent_people"], row["is_warning"]) == (1, False)
    found = return_warnings(sold([*others, *alone], category=None), RULES, as_of=AS_OF)
    assert found.filter(pl.col("item") == "new")["compared_with"].to_list() == [ALL]


def test_what_has_had_no_time_to_come_back_is_compared_with_as_short_a_time() -> None:
    """Everything comes back after three days. The recent lines are two days old, and none of them is back; of
    the earlier ones none was back after two days either."""
    lines = sold([*many("cup", count=40, back=20, day=10), *many("cup", count=40, back=0, day=98)])
    row = return_warnings(lines, RULES, as_of=AS_OF).row(0, named=True)
    assert (row["recent_returned"], row["compared_returned"], row["is_warning"]) == (0, 0, False)


def test_without_any_difference_there_are_hardly_any_warnings() -> None:
    generator = np.random.default_rng(3)
    lines: list[Line] = [
        (
            f"u{generator.integers(5000)}",
            f"i{generator.integers(150)}",
            float(day),
            1.0,
            generator.random() < 0.1,
        )
        for day in generator.uniform(0, 100, size=12_000)
    ]
    found = return_warnings(sold(lines), RULES, as_of=AS_OF)
    assert len(found) > 100
    assert found["is_warning"].sum() <= 2
    assert 0.0 < (found["p_value"].to_numpy() < 0.1).mean() < 0.15, "p-values are what they say"


def test_what_those_who_sent_it_back_kept_comes_before_what_seldom_comes_back() -> None:
    tight = many("tight", count=20, back=10, day=10)
    kept: list[Line] = [(f"u{n}", "wide", 20.0, 1.0, False) for n in range(4)]
    late: list[Line] = [(f"u{n}", "late", 90.0, 1.0, False) for n in range(4)]
    steady = many("steady", count=40, back=0, day=5, who="w")
    lines = sold([*tight, *kept, *late, *steady])
    products = product_rates(lines, category_rates(lines, level=0.9), level=0.9)
    found = fits_instead(lines, products, RULES)
    assert found.select("item", "instead", "why", "people").rows() == [
        ("tight", "wide", KEPT, 4),
        ("tight", "steady", SELDOM, 0),
    ]
    unknown = sold([*tight, *kept, *steady], category=None)
    products = product_rates(unknown, category_rates(unknown, level=0.9), level=0.9)
    assert fits_instead(unknown, products, RULES).is_empty()
