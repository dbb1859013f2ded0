"""Life stages, scores, cycles, levels and tiers against plain references."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.exceptions import ConfigError
from configs.settings.customers import CustomersConfig
from features.core.columns import MICROSECONDS_PER_DAY
from features.customers.life_stage import life_stages
from features.customers.membership import level_names, membership_points, points_to_next
from features.customers.purchase_cycle import own_cycle, purchase_cycles, shop_cycle
from features.customers.rfm import score
from features.customers.value_tiers import tier_bounds, with_value_tier

RULES = CustomersConfig()


@pytest.mark.parametrize(
    ("order_days", "first", "last", "cycle", "stage"),
    [
        (0, 0, 0, None, "no order"),
        (1, 30, 30, None, "new"),
        (1, 31, 31, None, "active"),
        (9, 20, 1, 2, "new"),
        (4, 100, 39, 20, "active"),
        (5, 100, 40, 20, "loyal"),
        (5, 100, 41, 20, "at risk"),
        (50, 100, 81, 20, "lapsed"),
        (1, 61, 61, None, "at risk"),  # the shop's cycle of 30 days
        (9, 100, 28, 1, "loyal"),  # a cycle of a day counts as two weeks
        (9, 100, 29, 1, "at risk"),
    ],
)
def test_a_life_stage_follows_from_the_days_of_orders(
    order_days: int, first: float, last: float, cycle: float | None, stage: str
) -> None:
    found = life_stages(
        np.array([order_days]),
        days_since_first=np.array([first], np.float64),
        days_since_last=np.array([last], np.float64),
        cycle_days=np.array([np.nan if cycle is None else cycle]),
        shop_cycle=30,
        rules=RULES,
    )
    assert found == [stage]


@given(st.lists(st.one_of(st.none(), st.integers(0, 6)), max_size=40))
def test_a_score_is_the_fifth_that_a_value_stands_in_and_ties_share_it(values: list[int | None]) -> None:
    known = sorted(value for value in values if value is not None)

    def plain(value: int) -> int:
        lower = sum(other < value for other in known)
        return 1 + 5 * lower // len(known)

    frame = pl.DataFrame({"value": pl.Series(values, dtype=pl.Int64)})
    found = frame.select(score("value")).to_series().to_list()
    assert found == [None if value is None else plain(value) for value in values]


def test_different_values_fill_the_fifths_evenly() -> None:
    frame = pl.DataFrame({"value": range(100)})
    assert frame.select(score("value")).to_series().value_counts(sort=True)["count"].to_list() == [20] * 5


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 60)), max_size=60))
def test_the_cycle_is_the_median_gap_of_distinct_days(bought: list[tuple[int, int]]) -> None:
    start = datetime(2024, 1, 1, tzinfo=UTC).date()
    rows = pl.DataFrame(
        {
            "user_id": pl.Series([f"u{user}" for user, _ in bought], dtype=pl.Categorical),
            "day": pl.Series([start + timedelta(days=day) for _, day in bought], dtype=pl.Date),
        }
    )
    found = {row["user_id"]: row for row in purchase_cycles(rows).iter_rows(named=True)}
    for user in {user for user, _ in bought}:
        days = sorted({day for who, day in bought if who == user})
        gaps = [later - earlier for earlier, later in pairwise(days)]
        assert found[f"u{user}"]["order_days"] == len(days)
        assert found[f"u{user}"]["gap_days"] == (median(gaps) if gaps else None)
        live = own_cycle(days)
        assert found[f"u{user}"]["cycle_days"] == (None if np.isnan(live) else live)
        assert np.isnan(live) == (len(days) < 3)


def test_a_shop_where_nobody_came_back_has_the_usual_cycle() -> None:
    assert shop_cycle(pl.Series([None, None], dtype=pl.Float64)) == 30
    assert shop_cycle(pl.Series([10.0, None, 20.0])) == 15


def membership(events: list[tuple[int, float, float]], *, people: int = 1) -> tuple[list[float], list[float]]:
    """(points, best points) as of day 100 with a window of 30 days and 10 days of grace."""
    found = membership_points(
        np.array([who for who, _, _ in events], np.int64),
        np.array([int(day * MICROSECONDS_PER_DAY) for _, day, _ in events], np.int64),
        np.array([points for _, _, points in events], np.float64),
        num_people=people,
        as_of=100 * MICROSECONDS_PER_DAY,
        window_days=30,
        grace_days=10,
    )
    return found.points.tolist(), found.best_points.tolist()


@pytest.mark.parametrize(
    ("events", "points", "best"),
    [
        ([], 0, 0),
        ([(0, 99, 50)], 50, 50),  # up at once
        ([(0, 65, 50)], 0, 50),  # counted until day 95: kept for ten days
        ([(0, 55, 50)], 0, 0),  # counted until day 85: the grace is over
        ([(0, 65, 50), (0, 94, 20)], 20, 70),
        ([(0, 90, 50), (0, 95, -50)], 0, 50),  # brought back: kept for a while
        ([(0, 50, 50), (0, 55, -50)], 0, 0),
        ([(0, 64, -20), (0, 66, 50)], 0, 50),  # what took points away ends before what gave them
    ],
)
def test_points_count_in_their_window_and_a_level_is_kept_for_a_while(
    events: list[tuple[int, float, float]], points: float, best: float
) -> None:
    assert membership(events) == ([points], [best])


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 99), st.sampled_from([-20.0, 5.0, 30.0])), max_size=12
    )
)
def test_points_are_those_of_a_plain_count_of_every_moment(events: list[tuple[int, float, float]]) -> None:
    def counting(who: int, day: float) -> float:
        inside = [points for one, when, points in events if one == who and day - 30 < when <= day]
        return max(sum(inside), 0.0)

    moments = [90 + hour / 24 - 1e-9 for hour in range(241)]
    points, best = membership(events, people=3)
    for who in range(3):
        assert points[who] == counting(who, moments[-1])
        assert best[who] == max(counting(who, moment) for moment in moments)


def test_points_of_a_million_people_are_their_own() -> None:
    people = 1_000_000
    found = membership_points(
        np.arange(people),
        np.full(people, 99 * MICROSECONDS_PER_DAY),
        np.full(people, 7.0),
        num_people=people,
        as_of=100 * MICROSECONDS_PER_DAY,
        window_days=36_500,
        grace_days=90,
    )
    assert (found.points == 7).all()
    assert (found.best_points == 7).all()


def test_levels_by_points() -> None:
    levels = {"gold": 200.0, "basic": 0.0, "silver": 100.0}
    points = np.array([0, 99.99, 100, 250])
    assert level_names(points, levels) == ["basic", "basic", "silver", "gold"]
    assert points_to_next(points, levels)[:3].tolist() == pytest.approx([100, 0.01, 100])
    assert np.isnan(points_to_next(points, levels)[3])
    assert level_names(np.array([5.0]), {"silver": 10.0}) == [None]


def test_tiers_hold_their_share_and_equal_revenues_are_in_one() -> None:
    profiles = pl.DataFrame({"orders": [1] * 10 + [0], "spent": [*range(1, 11), 0]}, strict=False)
    bounds = tier_bounds(profiles, RULES.value_tiers)
    tiers = with_value_tier(profiles, bounds)["value_tier"].to_list()
    assert [tiers.count(name) for name in ("top", "high", "middle", "low", None)] == [1, 2, 4, 3, 1]
    same = pl.DataFrame({"orders": [1] * 10, "spent": [5.0] * 10})
    assert set(with_value_tier(same, tier_bounds(same, RULES.value_tiers))["value_tier"]) == {"top"}


def test_tiers_that_leave_somebody_out_are_refused() -> None:
    with pytest.raises(ConfigError, match="no tier begins at 0"):
        tier_bounds(pl.DataFrame({"orders": [1], "spent": [1.0]}), {"top": 0.9})
