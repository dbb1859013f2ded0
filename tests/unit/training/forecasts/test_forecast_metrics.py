"""Metrics of forecasts, RFM rules, and the trees on a shop drawn at random."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from forecast_shop import DAY, drawn_shop, events_of

from configs.load import load_config
from training.forecasts.customers import customers_as_of
from training.forecasts.evaluation import evaluation, judged_at
from training.forecasts.forecast_intervals import _figures, intervals
from training.forecasts.forecast_metrics import auc, by_tenth, metrics
from training.forecasts.outcomes import Examples, Forecasts, outcomes_after
from training.forecasts.rfm_rules import RfmRules, fifths, rfm_cells


def test_auc_counts_pairs_and_ties_half() -> None:
    chance = np.random.default_rng(0)
    scores, bought = chance.integers(0, 6, 60).astype(float), (chance.random(60) < 0.4).astype(float)
    pairs = [
        1.0 if high > low else 0.5 if high == low else 0.0
        for high in scores[bought == 1]
        for low in scores[bought == 0]
    ]
    assert auc(scores, bought) == pytest.approx(np.mean(pairs))
    assert math.isnan(auc(scores, np.ones(60)))


def test_tenths_say_what_was_said_and_what_came() -> None:
    bought = np.array([1.0] * 5 + [0.0] * 15)
    said = Forecasts(np.linspace(0.9, 0.1, 20), np.ones(20), None)
    rows = by_tenth(said, Forecasts(bought, bought, None))
    assert [row["customers"] for row in rows] == [2] * 10
    assert (rows[0]["bought"], rows[0]["lift"]) == (1, 4)
    assert rows[2]["bought"] == 0.5
    assert rows[0]["said"] == pytest.approx(said.purchase[:2].mean())
    found = metrics(said, Forecasts(bought, bought, None))
    assert found["auc"] == 1
    assert found["orders_sum"] == 4
    assert "spend_error" not in found


def test_of_fewer_customers_than_tenths_the_empty_ones_are_left_out() -> None:
    three = Forecasts(np.array([0.9, 0.5, 0.1]), np.zeros(3), None)
    assert len(by_tenth(three, three)) == 3


def test_an_interval_is_of_the_same_customers_and_none_where_both_say_the_same() -> None:
    chance = np.random.default_rng(0)
    bought = (chance.random(300) < 0.3).astype(float)
    right = Forecasts(np.clip(bought * 0.6 + chance.random(300) * 0.4, 0, 1), bought, bought * 10)
    blind = Forecasts(np.full(300, 0.3), np.full(300, 0.3), np.full(300, 3.0))
    found = intervals(
        {"a": right, "b": blind, "c": right},
        Forecasts(bought, bought, bought * 10),
        of="a",
        samples=50,
        seed=0,
    )
    difference, low, high = found["b"]["auc"]
    assert 0.3 < low <= difference <= high
    assert found["b"]["brier"][2] < 0
    assert found["c"]["auc"] == (0, 0, 0)


def test_the_figures_of_a_sample_are_the_metrics_of_the_customers_in_it() -> None:
    chance = np.random.default_rng(0)
    drawn = chance.integers(0, 200, 200)
    weights = np.bincount(drawn, minlength=200).astype(float)[None]
    scores = np.round(chance.random(200), 2)  # with ties
    said = Forecasts(scores, 2 * scores, chance.random(200) * 9)
    bought = (chance.random(200) < 0.4).astype(float)
    came = Forecasts(bought, bought * 2, bought * 7)
    plain = metrics(said.take(drawn), came.take(drawn))
    found = _figures(said, came, weights)
    for name in ("auc", "brier", "orders_error", "spend_error"):
        assert found[name][0] == pytest.approx(plain[name]), name
    assert found["lift"][0] == pytest.approx(
        plain["lift"], abs=0.15
    )  # ties at the tenth's edge fall either way


def test_rules_expect_of_a_cell_what_it_did_and_of_an_empty_one_what_all_do() -> None:
    events = drawn_shop()
    customers = customers_as_of(events, events.end - 30 * DAY)
    came = outcomes_after(customers, events, days=30)
    rules, cells = RfmRules.fit(Examples(customers, came)), rfm_cells(customers)
    assert cells.max() < 125
    empty = np.setdiff1d(np.arange(125), cells)
    assert len(empty)
    assert rules.purchase[empty] == pytest.approx(came.purchase.mean())
    largest = np.bincount(cells).argmax()
    within, size = came.orders[cells == largest], (cells == largest).sum()
    drawn = (within.sum() + 20 * came.orders.mean()) / (size + 20)
    assert rules.orders[largest] == pytest.approx(drawn)
    assert auc(rules.forecast(customers).purchase, came.purchase) > 0.6


def test_scores_are_fifths_and_equal_values_are_equal() -> None:
    assert np.bincount(fifths(np.arange(100.0)))[1:].tolist() == [20] * 5
    assert set(fifths(np.array([1.0, 1, 1, 1])).tolist()) == {3}
    assert len(fifths(np.empty(0))) == 0


def test_on_drawn_customers_trees_find_the_buyers_and_say_how_many() -> None:
    config = load_config(overrides=["evaluation.bootstrap_samples=20"])
    events = drawn_shop(customers=900)
    judged = judged_at(events, events.end - 30 * DAY, config.forecasts, with_trees=True)
    found = evaluation(judged, config.forecasts, config.evaluation)
    trees = found["systems"]["lightgbm"]
    assert trees["auc"] > 0.7
    assert trees["brier"] < 0.9 * found["share_bought"] * (1 - found["share_bought"])
    assert trees["lift"] > 1.3
    assert 0.8 < trees["orders_sum"] < 1.2
    assert found["systems"]["bg_nbd"]["auc"] > 0.7
    assert found["left"]["bought_nevertheless"] < found["left"]["others_bought"]
    again = judged_at(events, events.end - 30 * DAY, config.forecasts, with_trees=True)
    assert np.array_equal(again.said["lightgbm"].purchase, judged.said["lightgbm"].purchase)


def test_prices_that_begin_in_the_last_window_could_not_be_known() -> None:
    config = load_config(overrides=["evaluation.bootstrap_samples=10"])
    events = drawn_shop()
    as_of = events.end - 30 * DAY
    late = replace(
        events, lines=events.lines.with_columns(value=pl.when(pl.col("time") >= as_of).then("value"))
    )
    judged = judged_at(late, as_of, config.forecasts, with_trees=True)
    found = evaluation(judged, config.forecasts, config.evaluation)
    assert found["spend_mean"] > 0
    assert {system["spend_sum"] for system in found["systems"].values()} == {0}


def test_a_shop_without_prices_has_no_spend() -> None:
    config = load_config(overrides=["forecasts.min_repeat_buyers=2", "evaluation.bootstrap_samples=10"])
    rows = [(f"u{user}", day, "milk") for user in range(60) for day in range(user, 150, 5 + user % 20)]
    events = events_of(rows)
    unpriced = replace(events, lines=events.lines.with_columns(value=pl.lit(None, pl.Float64)))
    judged = judged_at(unpriced, events.end - 30 * DAY, config.forecasts, with_trees=True)
    assert all(said.spend is None for said in judged.said.values())
    found = evaluation(judged, config.forecasts, config.evaluation)
    assert found["spend_mean"] is None
    assert "spend_error" not in found["systems"]["lightgbm"]
