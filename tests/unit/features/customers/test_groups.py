"""Groups of people who buy alike: found, named, and the same from run to run."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from customer_shop import as_last, customers, day, tables, two_kinds
from odd_shop import bought

from features.customers.clusters import fresh, nearest, silhouette
from features.customers.compute import Customers
from features.customers.group_names import named_groups
from features.customers.group_numbers import Scale


def groups_of(found: Customers) -> dict[str, int]:
    return dict(found.profiles.select("user_id", "group").iter_rows())


def since(found: Customers) -> datetime | None:
    return None if found.moved.since is None else found.moved.since.as_of


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Customers:
    return customers(tables(tmp_path_factory.mktemp("groups"), two_kinds()), num_groups=2)


def test_two_kinds_of_people_are_two_groups_with_names_that_say_which(first: Customers) -> None:
    found = groups_of(first)
    often, rare = (
        {found[f"u{number}"] for number in range(0, 120, 2)},
        {found[f"u{number}"] for number in range(1, 120, 2)},
    )
    assert (len(often), len(rare)) == (1, 1)
    names = dict(first.groups.select("group", "group_name").iter_rows())
    apart = dict(first.groups.select("group", "apart").iter_rows())
    (cheap,), (dear,) = often, rare
    said = {
        "buys often",
        "small orders",
        "few products at a time",
        "cheap products",
        "evenings",
        "not in the morning",
    }
    assert len(set(names[cheap].split(", ")) & said) == 3
    said = {
        "buys seldom",
        "large orders",
        "many products at a time",
        "expensive products",
        "mornings",
        "not in the evening",
    }
    assert len(set(names[dear].split(", ")) & said) == 3
    assert apart[cheap].count("(all ") == 3


def test_the_number_of_groups_is_the_one_that_separates_best() -> None:
    generator = np.random.default_rng(0)
    centres = np.array([[0, 0], [9, 0], [0, 9], [9, 9.0]])
    data = np.concatenate([centre + generator.normal(size=(40, 2)) for centre in centres])
    distances = np.linalg.norm(data[:, None] - data[None], axis=2)
    quality = {number: silhouette(distances, nearest(data, fresh(data, number))) for number in (2, 3, 4, 5)}
    assert max(quality, key=lambda number: quality[number]) == 4
    assert quality[4] > 0.6


def test_a_silhouette_is_the_plain_one() -> None:
    values, codes = np.array([0.0, 1, 5, 7, 20]), np.array([0, 0, 1, 1, 2])
    distances = np.abs(values[:, None] - values[None])
    # a: 1 1 2 2 -, b: 6 5 4.5 6.5 -
    plain = [5 / 6, 4 / 5, 2.5 / 4.5, 4.5 / 6.5, 0]
    assert silhouette(distances, codes) == pytest.approx(np.mean(plain))


def test_the_same_data_twice_gives_the_same_groups(tmp_path: Path) -> None:
    found = tables(tmp_path, two_kinds(seed=3))
    one = customers(found)
    assert customers(found).groups.equals(one.groups)
    again = customers(found, last=as_last(one))
    assert groups_of(again) == groups_of(one)
    assert again.groups.select("group", "group_name").equals(one.groups.select("group", "group_name"))
    assert since(again) is None


def test_a_few_new_events_leave_people_in_their_groups(tmp_path: Path) -> None:
    rows = two_kinds(people=200, seed=1)
    before = customers(tables(tmp_path / "before", rows))
    later = rows + [bought(f"u{number}", "i2", day=43, price=11) for number in range(0, 200, 7)]
    later += [
        row for row in two_kinds(people=40, seed=2) for row in [{**row, "user_id": f"new{row['user_id']}"}]
    ]
    after = customers(tables(tmp_path / "after", later), last=as_last(before))
    old, new = groups_of(before), groups_of(after)
    kept = sum(new[user] == group for user, group in old.items())
    assert kept >= 0.95 * len(old)
    assert set(new.values()) == set(old.values())


def test_a_fresh_start_keeps_the_numbers_of_groups(tmp_path: Path) -> None:
    """Where the number of groups changes, those that have the same people keep their number and name."""
    found = tables(tmp_path, two_kinds())
    two = customers(found, num_groups=2, min_group_size=1)
    flip = pl.col("group").replace({1: 7, 2: 1})
    last = as_last(two)
    last = replace(
        last,
        state=replace(last.state, people=last.state.people.with_columns(flip)),
        groups=last.groups.with_columns(flip),
    )
    three = customers(found, num_groups=3, min_group_size=1, last=last)
    assert {1, 7} < set(three.groups["group"])
    assert set(three.groups["group"]) - {1, 7} == {8}
    assert three.groups["group_name"].is_unique().all()


def test_moves_are_counted_since_the_last_state(tmp_path: Path) -> None:
    rows = [bought(f"u{number}", "i0", day=0, price=1) for number in range(30)]
    rows += [
        bought(f"u{number}", "i0", day=step, price=1) for number in range(15) for step in (10, 20, 30, 40)
    ]
    found = tables(tmp_path, rows)
    first = customers(found, as_of=day(5))
    second = customers(found, last=as_last(first))
    assert since(second) == day(5)
    stages = second.moved.table.filter(pl.col("kind") == "life stage")
    assert sorted(stages.select("before", "now", "people", "share").rows()) == [
        ("new", "at risk", 15, 0.5),
        ("new", "loyal", 15, 0.5),
    ]
    third = customers(found, last=as_last(second))
    assert since(third) == day(5), "a second run of the same moment counts from the state before"
    assert third.moved.table.equals(second.moved.table)


def test_moves_that_other_rules_may_have_made_are_said_to_be_so(tmp_path: Path) -> None:
    rows = [bought(f"u{number}", "i0", day=step, price=1) for number in range(12) for step in (0, 9)]
    found = tables(tmp_path, rows)
    last = as_last(customers(found, as_of=day(5)))
    assert not any("rules of life stages" in remark for remark in customers(found, last=last).remarks)
    assert any("rules of life stages" in remark for remark in customers(found, last=last, new_days=1).remarks)


def test_names_say_what_is_clear_and_stay_while_they_are_true() -> None:
    scale = Scale(("average_order", "evening_share"), np.array([3.0, 0.3]), np.array([1.0, 0.2]))
    codes, ids = np.repeat([0, 1, 2], 10), np.array([4, 2, 9])

    def names(evening: float, last: pl.DataFrame | None = None) -> list[str]:
        """Of three groups; the first differs in its evenings alone, the second in its orders."""
        means = np.array([[0.0, evening], [1.5, 0.0], [-1.5, -evening]])
        return [one.name for one in named_groups(means[codes], codes, ids, scale, last=last)]

    first = names(1.0)
    assert first == ["evenings", "large orders", "small orders, not in the evening"]
    last = pl.DataFrame({"group": [4, 2, 7], "group_name": [*first[:2], "small orders, not in the evening"]})
    assert names(0.2, last) == ["evenings", "large orders", "small orders"], "still true, if less clearly"
    assert names(0.1, last) == ["like most customers", "large orders", "small orders"]
