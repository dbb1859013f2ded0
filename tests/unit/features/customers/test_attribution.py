"""Credits of channels against plain references."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.customers.attribution import MODELS, channel_credits, effects, position_shares
from features.customers.markov import removal_effects
from features.customers.paths import TOUCHES_SCHEMA, paths, touches

START = datetime(2024, 1, 1, tzinfo=UTC)


def at(day: float) -> datetime:
    return START + timedelta(days=day)


def touch_table(ways: list[tuple[list[str], bool]]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(the touches, the orders of 10, 20, 30 …) of ways that led to an order or to none."""
    rows = [
        {"path": number, "order": number if ordered else None, "shopper": f"s{number}", "channel": channel}
        for number, (way, ordered) in enumerate(ways)
        for channel in way
    ]
    orders = [
        {"order": number, "revenue": 10.0 * (number + 1)}
        for number, (_, ordered) in enumerate(ways)
        if ordered
    ]
    return (
        pl.DataFrame(rows, schema=TOUCHES_SCHEMA),
        pl.DataFrame(orders, schema={"order": pl.UInt32, "revenue": pl.Float64}),
    )


def test_the_removal_effects_of_a_chain_that_was_worked_out_by_hand() -> None:
    """a > b > order; a > order; b > nothing: from the start a 2/3, b 1/3; from a: b 1/2, order 1/2; from b:
    order 1/2, nothing 1/2. An order has probability 2/3 · 3/4 + 1/3 · 1/2 = 2/3. Without a, 1/3 · 1/2 = 1/6;
    without b, 2/3 · 1/2 = 1/3."""
    found, orders = touch_table([(["a", "b"], True), (["a"], True), (["b"], False)])
    assert effects(found)["removal_effect"].to_list() == pytest.approx([1 - 1 / 4, 1 - 1 / 2])
    rows = {row["channel"]: row for row in channel_credits(found, orders).iter_rows(named=True)}
    assert rows["a"]["orders_markov"] == pytest.approx(2 * 0.75 / 1.25)
    assert rows["a"]["revenue_markov"] == pytest.approx(30 * 0.75 / 1.25)
    assert (rows["a"]["orders_with"], rows["b"]["orders_with"], rows["b"]["shoppers"]) == (2, 1, 2)


WAYS = st.lists(
    st.tuples(st.lists(st.sampled_from("abcd"), min_size=1, max_size=5), st.booleans()),
    min_size=1,
    max_size=8,
).filter(lambda ways: any(ordered for _, ordered in ways))


def order_probability(ways: list[tuple[list[str], bool]], removed: str | None) -> float:
    """Of a chain that is walked step by step until next to nothing of the probability is left on its way."""
    moves: dict[str, list[str]] = {}
    for way, ordered in ways:
        states = ["start", *way, "order" if ordered else "nothing"]
        for one, other in pairwise(states):
            moves.setdefault(one, []).append(other)
    here, done = {"start": 1.0}, 0.0
    for _ in range(2000):
        ahead: dict[str, float] = {}
        for state, probability in here.items():
            for other in moves[state]:
                share = probability / len(moves[state])
                if other == "order":
                    done += share
                elif other not in ("nothing", removed):
                    ahead[other] = ahead.get(other, 0.0) + share
        here = ahead
        if sum(here.values()) < 1e-12:
            break
    return done


@given(WAYS)
def test_removal_effects_are_those_of_a_chain_without_the_channel(ways: list[tuple[list[str], bool]]) -> None:
    found, _ = touch_table(ways)
    whole = order_probability(ways, None)
    for channel, effect in effects(found).iter_rows():
        assert effect == pytest.approx(1 - order_probability(ways, channel) / whole, abs=1e-6)


@given(WAYS)
def test_the_credits_of_every_model_sum_to_the_orders_and_to_the_revenue(
    ways: list[tuple[list[str], bool]],
) -> None:
    found, orders = touch_table(ways)
    table = channel_credits(found, orders)
    for model in MODELS:
        assert table[f"orders_{model}"].sum() == pytest.approx(len(orders))
        assert table[f"revenue_{model}"].sum() == pytest.approx(orders["revenue"].sum())


def test_a_channel_that_nobody_ordered_by_is_credited_with_nothing() -> None:
    assert removal_effects(np.zeros((3, 3)), np.zeros(3), np.ones(3)).tolist() == [0, 0]
    found, orders = touch_table([(["a"], True), (["b"], False)])
    row = channel_credits(found, orders).row(1, named=True)
    assert (row["channel"], row["orders_markov"], row["orders_with"], row["touches"]) == ("b", 0, 0, 1)


@pytest.mark.parametrize(
    ("length", "shares"),
    [(1, [1]), (2, [0.5, 0.5]), (3, [0.4, 0.2, 0.4]), (4, [0.4, 0.1, 0.1, 0.4])],
)
def test_position_gives_the_ends_forty_percent_each(length: int, shares: list[float]) -> None:
    found, _ = touch_table([(["a"] * length, True)])
    assert position_shares(found)["position"].to_list() == pytest.approx(shares)


def way_of(
    visited: list[tuple[float, str | None]], ordered: list[float], *, as_of: float = 400
) -> list[tuple[int | None, str]]:
    """(order or None, channel) of each touch of one shopper whose visits take no time. Lookback: 30 days."""
    rows = pl.DataFrame(
        [{"shopper": "s", "start": at(day), "end": at(day), "channel": name} for day, name in visited],
        schema_overrides={"channel": pl.String},
    )
    orders = pl.DataFrame(
        [{"order": n, "shopper": "s", "time": at(day)} for n, day in enumerate(ordered)],
        schema={"order": pl.UInt32, "shopper": pl.String, "time": pl.Datetime("us", "UTC")},
    )
    found = paths(touches(rows, gap_minutes=30), orders, lookback_days=30, as_of=at(as_of))
    return [(row["order"], row["channel"]) for row in found.iter_rows(named=True)]


@pytest.mark.parametrize(
    ("visited", "ordered", "expected"),
    [
        ([(0, "ad"), (5, "mail")], [5], [(0, "ad"), (0, "mail")]),
        ([(0, "ad"), (40, "mail")], [40], [(0, "mail"), (None, "ad")]),  # too long before
        ([(0, "ad"), (5, "mail"), (6, "ad")], [5, 6], [(0, "ad"), (0, "mail"), (1, "ad")]),
        ([(0, "ad")], [0, 0.1], [(0, "ad"), (1, "ad")]),  # two orders in one visit
        ([(0, "ad")], [50], [(0, "ad")]),  # a visit that never ended
        ([(0, None), (5, "mail")], [5], [(0, "mail")]),  # what is not known is left out
        ([(0, None), (5, None)], [5], [(0, "not known")]),
        ([(0, "ad"), (0.01, "ad"), (0.02, "mail")], [1], [(0, "ad"), (0, "mail")]),  # one visit in pieces
        ([(0, "ad"), (0.01, None)], [1], [(0, "ad")]),
        ([(0, "ad"), (10, "mail"), (90, "ad")], [], [(None, "ad"), (None, "mail"), (None, "ad")]),
        ([(0, "ad"), (390, "mail")], [], [(None, "ad")]),  # may still buy
    ],
)
def test_the_path_of_an_order(
    visited: list[tuple[float, str | None]], ordered: list[float], expected: list[tuple[int | None, str]]
) -> None:
    assert way_of(visited, ordered) == expected
