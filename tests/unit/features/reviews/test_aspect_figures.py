"""The table of products and aspects, and what changed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from configs.settings.reviews import ReviewsConfig
from features.reviews.aspect_table import aspect_table
from features.reviews.changes import changes
from features.reviews.mentions import mentions_of, with_sentiment

END = datetime(2026, 6, 30, tzinfo=UTC)
Mention = tuple[str, str, float, bool | None]
"""(item, aspect, days before the end, whether it is a complaint)"""


def mentions(rows: Iterable[Mention]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "review": number,
                "item_id": item,
                "timestamp": END - timedelta(days=days),
                "aspect": aspect,
                "log_odds": None if negative is None else -1.0 if negative else 1.0,
                "negative": negative,
                "clause": f"clause {number}",
            }
            for number, (item, aspect, days, negative) in enumerate(rows)
        ],
        schema_overrides={"negative": pl.Boolean, "log_odds": pl.Float64},
    )


def test_one_angry_review_makes_no_bad_product() -> None:
    many = [("many", "size", 1.0, place < 30) for place in range(60)]
    good = [("good", "size", 1.0, False) for _ in range(60)]
    table = aspect_table(mentions([*many, *good, ("one", "size", 1.0, True)]), prior_mentions=10)
    assert table["item_id"].to_list() == ["many", "one", "good"]
    many_, one, good_ = table.iter_rows(named=True)
    assert one["share"] == 1.0
    assert one["expected"] == pytest.approx((1 + 10 * 32 / 123) / 11)
    assert one["high"] - one["low"] > many_["high"] - many_["low"]
    assert good_["low"] < good_["expected"] < good_["high"]
    assert (good_["complaint"], one["praise"]) == (None, None)


def test_what_nobody_knows_is_counted_apart() -> None:
    (row,) = aspect_table(mentions([("a", "size", 1, None)] * 3), prior_mentions=10).iter_rows(named=True)
    assert (row["mentions"], row["unknown"], row["share"]) == (0, 3, None)


def test_a_rise_of_complaints_is_found_and_noise_is_not() -> None:
    before = [
        (item, aspect, 40.0 + place, place % 10 == 0)
        for item in ("a", "b", "c")
        for aspect in ("size", "delivery")
        for place in range(60)
    ]
    now = [
        (item, aspect, place / 2, place % 10 == 0 or ((item, aspect) == ("b", "delivery") and place < 14))
        for item in ("a", "b", "c")
        for aspect in ("size", "delivery")
        for place in range(20)
    ]
    found = changes(mentions([*before, *now]), ReviewsConfig())
    assert len(found) == 8, "three products and the shop, two aspects each"
    significant = found.filter("is_significant")
    assert significant.select("scope", "item_id", "aspect", "direction").rows() == [
        ("product", "b", "delivery", "more"),
        ("shop", None, "delivery", "more"),
    ]
    assert significant["share_before"][0] == pytest.approx(0.1)
    assert significant["share_now"][0] == pytest.approx(14 / 20)
    assert "clause" in significant["example"][0]


def test_fewer_complaints_are_a_change_too() -> None:
    rows = [("a", "size", 40.0 + place, place % 10 > 0) for place in range(40)]
    rows += [("a", "size", place / 2, place % 10 == 0) for place in range(40)]
    found = changes(mentions(rows), ReviewsConfig()).row(0, named=True)
    assert (found["direction"], found["is_significant"]) == ("fewer", True)


def test_too_few_mentions_are_not_tested_and_one_review_is_no_error() -> None:
    few = [("a", "size", 1.0, True)] * 4 + [("a", "size", 50.0, False)] * 50
    assert changes(mentions(few), ReviewsConfig()).is_empty()
    assert changes(mentions([("a", "size", 1.0, True)]), ReviewsConfig()).is_empty()
    assert changes(mentions([("a", "size", 1.0, None)]), ReviewsConfig()).is_empty()


def test_without_a_network_the_rating_counts_for_every_aspect_of_a_review() -> None:
    reviews = pl.DataFrame(
        {
            "item_id": ["a", "a", "a"],
            "timestamp": [END] * 3,
            "text": ["Late delivery, bad fit", "Fast delivery", "The delivery man came"],
            "content": [False, True, None],
        }
    )
    found = mentions_of(
        with_sentiment(reviews, None), None, words={"delivery": ["delivery"], "size": ["fit"]}
    )
    assert found.select("review", "aspect", "negative").rows() == [
        (0, "overall", True),
        *[(0, name, True) for name in found.filter(review=0)["aspect"][1:]],
        (1, "overall", False),
        (1, "delivery", False),
        (2, "overall", None),
        (2, "delivery", None),
    ]
    assert set(found.filter(review=0)["aspect"]) == {"overall", "delivery", "size"}
