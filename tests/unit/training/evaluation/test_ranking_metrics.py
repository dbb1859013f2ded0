"""The metrics against their definitions, place by place, on any ranking."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.evaluation.ranking_metrics import (
    coverage,
    difference_interval,
    mean_and_interval,
    summarise,
    user_metrics,
)

CUTOFFS = (1, 3, 5, 10)


def slow_metrics(ranked: list[int], relevant: set[int]) -> dict[str, float]:
    values = {}
    for k in CUTOFFS:
        hits = [item in relevant for item in ranked[:k]]
        gain = sum(1 / math.log2(place + 2) for place, hit in enumerate(hits) if hit)
        ideal = sum(1 / math.log2(place + 2) for place in range(min(k, len(relevant))))
        values[f"recall_{k}"] = sum(hits) / len(relevant)
        values[f"capped_recall_{k}"] = sum(hits) / min(k, len(relevant))
        values[f"ndcg_{k}"] = gain / ideal
        values[f"mrr_{k}"] = next((1 / (place + 1) for place, hit in enumerate(hits) if hit), 0.0)
    return values


@given(
    st.lists(st.integers(0, 25), unique=True, max_size=20),
    st.sets(st.integers(0, 25), min_size=1, max_size=15),
)
@settings(max_examples=200, deadline=None)
def test_every_metric_agrees_with_its_definition(ranked: list[int], relevant: set[int]) -> None:
    found = user_metrics(np.array(ranked, np.int32), np.array(sorted(relevant), np.int32), cutoffs=CUTOFFS)
    assert found == pytest.approx(slow_metrics(ranked, relevant))


def test_a_perfect_list_gets_one_everywhere_and_a_useless_one_nothing() -> None:
    relevant = np.arange(3, dtype=np.int32)
    perfect = user_metrics(relevant[::-1], relevant, cutoffs=(3, 10))
    assert set(perfect.values()) == {1.0}
    useless = user_metrics(np.array([7, 8, 9], np.int32), relevant, cutoffs=(3, 10))
    assert set(useless.values()) == {0.0}


def test_coverage_counts_what_anybody_was_shown() -> None:
    lists = [np.array([1, 2, 3], np.int32), np.array([2, 1, 4], np.int32)]
    assert coverage(lists, k=2, num_items=10) == 0.2
    assert coverage(lists, k=3, num_items=10) == 0.4
    assert coverage([], k=3, num_items=10) == 0.0


def test_the_interval_holds_the_mean_narrows_with_users_and_repeats_with_the_seed() -> None:
    generator = np.random.default_rng(0)
    few, many = generator.normal(0.3, 0.2, 50), generator.normal(0.3, 0.2, 5000)
    mean, low, high = mean_and_interval(few, samples=500, seed=1)
    assert low < mean == few.mean() < high
    # the normal approximation of the same interval
    assert high - low == pytest.approx(2 * 1.96 * few.std() / math.sqrt(len(few)), rel=0.15)
    _, low_of_many, high_of_many = mean_and_interval(many, samples=200, seed=1)
    assert high_of_many - low_of_many < (high - low) / 5
    assert mean_and_interval(few, samples=500, seed=1) == (mean, low, high)
    assert all(math.isnan(value) for value in mean_and_interval(np.empty(0), samples=10, seed=0))


def test_the_95_percent_interval_holds_the_truth_about_95_times_in_100() -> None:
    generator = np.random.default_rng(7)
    held = 0
    for _ in range(200):
        _, low, high = mean_and_interval(
            generator.normal(1.0, 1.0, 60), samples=200, seed=int(generator.integers(1 << 30))
        )
        held += low <= 1.0 <= high
    assert 0.89 <= held / 200 <= 0.99


def test_a_difference_is_paired_so_what_two_systems_share_does_not_widen_it() -> None:
    generator = np.random.default_rng(0)
    shared = generator.normal(0, 10, 100)
    mean, low, high = difference_interval(shared + 0.5, shared, samples=100, seed=0)
    assert (mean, low, high) == pytest.approx((0.5, 0.5, 0.5))


def test_a_summary_has_every_metric_of_the_rows() -> None:
    summary = summarise([{"a": 1.0, "b": 0.0}, {"a": 3.0, "b": 0.0}], samples=50, seed=0)
    assert summary["a"][0] == 2.0
    assert summary["b"] == (0.0, 0.0, 0.0)
    assert summarise([], samples=50, seed=0) == {}


def test_the_intervals_of_a_table_are_those_of_each_metric_resampled_user_by_user() -> None:
    generator = np.random.default_rng(3)
    rows = [dict(zip(("a", "b"), generator.random(2).tolist(), strict=True)) for _ in range(37)]
    found = summarise(rows, samples=50, seed=5)
    assert list(found) == ["a", "b"]
    for name, interval in found.items():
        values, draws = np.array([row[name] for row in rows]), np.random.default_rng(5)
        means = [values[draws.integers(0, len(values), len(values))].mean() for _ in range(50)]
        assert interval == pytest.approx((values.mean(), *np.percentile(means, [2.5, 97.5])))
