"""The surface `buy_again` a minute after a purchase: what is due comes first.

In this shop fruit is bought again every few days, and cheese once in many months.
"""

from __future__ import annotations

import numpy as np
import pytest
from hand_made_bundle import AS_OF, write_bundle
from random_shop import DAY, Row, as_history, fitted_pipeline

from serving.recommend.bundle import Bundle
from serving.recommend.pipeline import Pipeline
from serving.recommend.request import Answer, Query

MINUTE = DAY // (24 * 60)
NOW = AS_OF + 5 * DAY
FRUIT, CHEESE = range(10), range(20, 30)


def shop_rows() -> list[list[Row]]:
    """A year of 80 users: each has three fruits, each with an interval of their own, and a few cheeses."""
    chance = np.random.default_rng(3)
    found = []
    for _ in range(80):
        rows: list[Row] = []
        for item in chance.choice(FRUIT, 3, replace=False).tolist():
            usual = chance.uniform(5, 20)
            ago = chance.uniform(0, usual)
            while ago < 365:
                rows.append((AS_OF - int(ago * DAY) - 1, "purchase", item))
                ago += usual * chance.lognormal(0, 0.3)
        for item in chance.choice(CHEESE, 4, replace=False).tolist():
            rows.append((AS_OF - int(chance.uniform(0, 365) * DAY) - 1, "purchase", item))
            if chance.random() < 0.1:
                rows.append((rows[-1][0] - int(200 * DAY), "purchase", item))
        found.append(sorted(rows))
    return found


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    bundle = Bundle.open(write_bundle(tmp_path_factory.mktemp("bundle") / "bundle"))
    return fitted_pipeline(bundle, shop_rows())


def bought(item: int, *days_ago: float) -> list[Row]:
    return [(NOW - int(days * DAY), "purchase", item) for days in days_ago]


def buy_again(pipeline: Pipeline, rows: list[Row], *live: int) -> Answer:
    """The list after purchases that came a minute ago, as events of the live server do."""
    history = as_history(sorted(rows))
    events = as_history([(NOW - MINUTE, "purchase", item) for item in live], first_basket=10_000)
    return pipeline.recommend(Query(history.followed_by(events), NOW, surface="buy_again", num_results=10))


def items_of(answer: Answer) -> list[int]:
    return [one.item for one in answer.recommendations]


WEEKLY, FORTNIGHTLY, DURABLE, OTHER = 1, 2, 22, 25
ANN = [
    *bought(WEEKLY, 6, 13, 20, 27, 34),
    *bought(FORTNIGHTLY, 12, 26, 40, 54),
    *bought(DURABLE, 200),
    *bought(OTHER, 90),
]


def test_what_is_due_comes_first_and_says_so(pipeline: Pipeline) -> None:
    answer = buy_again(pipeline, ANN)
    assert items_of(answer)[:2] == [WEEKLY, FORTNIGHTLY]
    first, second, third, _ = answer.recommendations
    assert [(reason.code, reason.text) for reason in first.reasons] == [
        ("due", "You buy this about every 7 days; last 6 days ago"),
        ("bought_before", "Bought 5 times, last 6 days ago"),
    ]
    assert second.reasons[0].text == "You buy this about every 14 days; last 12 days ago"
    assert third.reasons[0].code == "bought_before"
    assert {one.source for one in answer.recommendations} == {"due"}
    scores = [one.score for one in answer.recommendations]
    assert scores == sorted(scores, reverse=True)


def test_a_durable_bought_a_minute_ago_is_not_first(pipeline: Pipeline) -> None:
    """Whether its interval is long or unknown."""
    for durable, rows in (
        (DURABLE, ANN),
        (28, ANN),
        (DURABLE, [*ANN, *bought(DURABLE, 400, 600)]),
    ):
        shown = buy_again(pipeline, rows, durable)
        assert items_of(shown)[:2] == [WEEKLY, FORTNIGHTLY], durable
        (just,) = [one for one in shown.recommendations if one.item == durable]
        assert just.reasons[0].code == "bought_before"
        assert just.reasons[0].text.endswith("last within the hour")


def test_nor_where_each_was_bought_once(pipeline: Pipeline) -> None:
    """Then what others do with the items tells them apart, and not which is the latest."""
    assert items_of(buy_again(pipeline, bought(WEEKLY, 6), DURABLE)) == [WEEKLY, DURABLE]


def test_a_consumable_bought_a_minute_ago_gives_way_to_what_is_due(pipeline: Pipeline) -> None:
    """It stays before what nobody buys again for months."""
    shown = items_of(buy_again(pipeline, ANN, WEEKLY))
    assert shown.index(FORTNIGHTLY) < shown.index(WEEKLY) < shown.index(DURABLE)


def test_a_purchase_that_was_brought_back_changes_nothing(pipeline: Pipeline) -> None:
    refund: Row = (NOW - MINUTE // 2, "refund", WEEKLY)
    history = as_history(sorted([*ANN, (NOW - MINUTE, "purchase", WEEKLY), refund]))
    again = pipeline.recommend(Query(history, NOW, surface="buy_again", num_results=10))
    assert items_of(again) == items_of(buy_again(pipeline, ANN))
    assert again.recommendations[0].reasons[0].text == "You buy this about every 7 days; last 6 days ago"
