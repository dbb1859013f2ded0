"""The figures of the report against plain loops over the same rows."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from features.core.concentration import concentration
from features.report.cohorts import WITHIN_DAYS, Cohorts, cohorts
from features.report.empty import Empty
from features.report.funnel import Funnel, funnel
from features.report.glance import Glance, glance

START = date(2024, 1, 10)
KINDS = ("view_item", "add_to_cart", "purchase", "refund")
Row = tuple[str | None, str, date, int, int, float | None]


def rows(*, seed: int, people: int = 60, num: int = 900) -> list[Row]:
    """(user, event type, day, order, visit, amount); one row in twenty is a guest's."""
    generator = np.random.default_rng(seed)
    found: list[Row] = []
    for place in range(num):
        user = int(people * generator.random() ** 2)
        day = START + timedelta(days=int(generator.integers(user, 200)))
        visit = 1_000 * user + (day - START).days + 10_000
        amount = None if generator.random() < 0.1 else float(generator.integers(1, 9))
        kind = KINDS[int(generator.integers(0, 4))]
        guest = generator.random() < 0.05
        found.append(
            (
                None if guest else f"u{user}",
                kind,
                day,
                place if guest else visit,
                place if guest else visit,
                -amount if amount is not None and kind == "refund" else amount,
            )
        )
    return found


def frame(of: list[Row]) -> pl.DataFrame:
    """The same as the table of `shop_events`."""
    names = ["user", "event_type", "day", "order", "visit", "amount"]
    return pl.DataFrame(of, schema=names, orient="row", infer_schema_length=None).with_columns(
        pl.col("order", "visit").cast(pl.UInt64),
        pl.col("amount").cast(pl.Float64),
        pl.col("user").cast(pl.Categorical),
        pl.when(pl.col("user").is_not_null()).then(pl.col("user").hash()).alias("person"),
        pl.col("day").cast(pl.Date),
        pl.lit("i").alias("item"),
        pl.lit(datetime(2024, 1, 1)).alias("time"),
    )


def month_of(day: date) -> int:
    return 12 * day.year + day.month


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("least", [1, 4])
def test_cohorts_are_those_of_plain_loops(seed: int, least: int) -> None:
    made = rows(seed=seed)
    found = cohorts(frame(made), has_times=True, min_people=least)
    assert isinstance(found, Cohorts)
    days: dict[str, set[date]] = defaultdict(set)
    for user, kind, day, *_ in made:
        if user is not None and kind == "purchase":
            days[user].add(day)
    last = max(row[2] for row in made)
    members: dict[int, list[set[date]]] = defaultdict(list)
    for own in days.values():
        members[month_of(min(own))].append(own)
    assert [month_of(cohort.month) for cohort in found.cohorts] == sorted(
        month for month, people in members.items() if len(people) >= least
    )
    assert found.num_hidden == sum(len(people) < least for people in members.values())
    for cohort in found.cohorts:
        first = month_of(cohort.month)
        people = members[first]
        assert cohort.people == len(people)
        assert len(cohort.shares) == month_of(last) - first
        for after, share in enumerate(cohort.shares, 1):
            back = sum(any(month_of(day) == first + after for day in own) for own in people)
            assert share == (pytest.approx(back / len(people)) if back >= least else None)
    returns = {one.days: one for one in found.returns}
    for within in WITHIN_DAYS:
        old = [sorted(own) for own in days.values() if (last - min(own)).days >= within]
        back = sum(len(own) > 1 and (own[1] - own[0]).days <= within for own in old)
        assert (within in returns) == (len(old) >= least)
        if within in returns:
            assert returns[within].people == len(old)
            assert returns[within].share == (pytest.approx(back / len(old)) if back >= least else None)


@pytest.mark.parametrize("seed", range(3))
def test_the_funnel_is_that_of_plain_loops(seed: int) -> None:
    made = rows(seed=seed)
    found = funnel(frame(made), min_people=1)
    assert isinstance(found, Funnel)
    visits: dict[int, set[str]] = defaultdict(set)
    for _, kind, _, _, visit, _ in made:
        visits[visit].add(kind)
    wanted = [sum(set(KINDS[: place + 1]) <= kinds for kinds in visits.values()) for place in range(3)]
    assert [step.name for step in found.steps] == ["view", "cart", "purchase"]
    assert [step.visits for step in found.steps] == wanted
    assert [step.share for step in found.steps] == [pytest.approx(one / wanted[0]) for one in wanted]
    assert found.visits == sum(bool(kinds & set(KINDS[:3])) for kinds in visits.values())
    assert found.outside == sum(
        "purchase" in kinds and not set(KINDS[:3]) <= kinds for kinds in visits.values()
    )


def test_a_step_of_few_people_and_those_after_it_are_not_counted() -> None:
    made: list[Row] = [(f"u{number}", "view_item", START, number, number, None) for number in range(12)]
    made += [(f"u{number}", "add_to_cart", START, number, number, None) for number in range(9)]
    made += [(f"u{number}", "purchase", START, number, number, 1.0) for number in range(9)]
    found = funnel(frame(made), min_people=10)
    assert isinstance(found, Funnel)
    assert [step.visits for step in found.steps] == [12, None, None]


def test_the_shop_at_a_glance_counts_guests_refunds_and_repeat_orders() -> None:
    made: list[Row] = [(f"u{number}", "purchase", START, number, number, 10.0) for number in range(12)]
    made += [(f"u{number}", "purchase", date(2024, 2, 3), 100 + number, 0, 5.0) for number in range(11)]
    made += [(None, "purchase", START, 200, 0, None), ("u3", "refund", START, 3, 3, -10.0)]
    found = glance(frame(made), has_times=True, min_people=10)
    assert isinstance(found, Glance)
    assert (found.customers, found.orders, found.guest_orders) == (12, 24, None)
    assert (found.revenue, found.refunded) == (165.0, 10.0)
    assert found.average_order == pytest.approx(175 / 24)
    assert found.repeat_share == pytest.approx(11 / 12)
    assert [(month.month, month.orders, month.revenue) for month in found.months] == [
        (date(2024, 1, 1), 13, 110.0),
        (date(2024, 2, 1), 11, 55.0),
    ]
    hidden = glance(frame(made), has_times=True, min_people=12)
    assert isinstance(hidden, Glance)
    assert (hidden.repeat_share, hidden.num_hidden_months) == (None, 1)


def test_guests_are_counted_by_person_where_one_is_known_and_by_order_and_visit_where_not() -> None:
    made: list[Row] = [
        (f"u{number % 9}", kind, START, number, number, 1.0)
        for number in range(27)
        for kind in ("view_item", "purchase")
    ]
    nine = frame(made).with_columns(pl.lit(None, pl.Categorical).alias("user"))
    assert glance(nine, has_times=True, min_people=10) == Empty("few_customers", {"people": 10})
    assert funnel(nine, min_people=10) == Empty("few_visitors", {"people": 10})
    shown = glance(nine, has_times=True, min_people=9)
    assert isinstance(shown, Glance)
    assert (shown.customers, shown.orders, shown.guest_orders) == (0, 27, 27)
    assert [month.orders for month in shown.months] == [27]
    strangers = nine.with_columns(pl.lit(None, pl.UInt64).alias("person"))
    shown = glance(strangers, has_times=True, min_people=27)
    assert isinstance(shown, Glance)
    assert (shown.guest_orders, len(shown.months)) == (27, 1)
    assert isinstance(funnel(strangers, min_people=27), Funnel)


def test_what_cannot_be_shown_says_why() -> None:
    refunds: list[Row] = [("u1", "refund", START, 1, 1, -2.0)]
    for found in (
        glance(frame(refunds), has_times=True, min_people=10),
        cohorts(frame(refunds), has_times=True, min_people=10),
    ):
        assert found == Empty("no_purchases")
    assert funnel(frame(refunds), min_people=10) == Empty("no_steps")
    bought: list[Row] = [(f"u{number}", "purchase", START, number, number, 1.0) for number in range(9)]
    assert glance(frame(bought), has_times=True, min_people=10) == Empty("few_customers", {"people": 10})
    assert funnel(frame(bought), min_people=10) == Empty("one_step", {"step": "purchase"})
    assert cohorts(frame(bought), has_times=False, min_people=10) == Empty("no_times")


def test_concentration_is_the_share_of_the_first_and_the_mean_difference() -> None:
    counts = np.random.default_rng(0).integers(0, 50, 250)
    found = concentration(counts)
    assert found is not None
    ordered = sorted(counts.tolist(), reverse=True)
    assert found.top_1 == pytest.approx(sum(ordered[:3]) / sum(ordered))
    assert found.top_10 == pytest.approx(sum(ordered[:25]) / sum(ordered))
    differences = np.abs(counts[:, None] - counts[None]).mean()
    assert found.gini == pytest.approx(differences / (2 * counts.mean()))
    assert concentration(np.zeros(5, np.int64)) is None
