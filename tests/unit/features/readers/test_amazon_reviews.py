"""Amazon reviews in the formats of 2014, 2018 and 2023, and their metadata."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from configs.exceptions import DataError
from configs.schema import Config
from features.ingest.report import Report
from features.ingest.tables import Tables
from features.prepare import prepare

MakeConfig = Callable[..., Config]

USER, OTHER = "A39HTATAQ9V7YF", "A3JM6GV9MNOF9X"
RATINGS_2014 = f"""\
{USER},0205616461,5.0,1369699200
{OTHER},0558925278,3.0,1355443200
{OTHER},B000000001
{OTHER},0205616461,1.0,1369785600
"""
RATINGS_2018 = f"""\
0205616461,{USER},5.0,1369699200
0558925278,{OTHER},3.0,1355443200
B000000001,{OTHER}
0205616461,{OTHER},1.0,1369785600
"""
REVIEWS = """\
{"reviewerID": "A39HTATAQ9V7YF", "asin": "0205616461", "reviewText": "Nice \\u2665", "overall": 5.0, \
"unixReviewTime": 1369699200}
{"reviewerID": "A3JM6GV9MNOF9X", "asin": "0558925278", "helpful": [0, 0], "overall": 3, \
"unixReviewTime": 1355443200}
{"reviewerID": "A3JM6GV9MNOF9X", "asin": "0558925278", "helpful": [0, 0], "overall": 3, \
"unixReviewTime": 1355443200}
{"reviewerID": "A3JM6GV9MNOF9X", "asin": "B000000001", "overall": "many", "unixReviewTime": 1355443200}
["no", "object"]
{"reviewerID": "A3JM6GV9MNOF9X", "asin": "0205616461", "overall": 1, "unixReviewTime": 1369785600}
"""
CSV_2023 = f"""\
user_id,parent_asin,rating,timestamp
{USER},0205616461,5.0,1369699200000
{OTHER},0558925278,3.0,1355443200000
{OTHER},0205616461,1.0,1369785600000
"""
EXPECTED = [
    (OTHER, "0558925278", 3.0, datetime.fromisoformat("2012-12-14T00:00:00Z")),
    (USER, "0205616461", 5.0, datetime.fromisoformat("2013-05-28T00:00:00Z")),
    (OTHER, "0205616461", 1.0, datetime.fromisoformat("2013-05-29T00:00:00Z")),
]

META_2014 = """\
{'asin': '0205616461', 'title': 'Fish &amp; Oil', 'price': 12.99, \
'categories': [['Beauty', 'Skin Care'], ['X']], 'brand': 'Bio'}
{'asin': '0558925278', 'related': {'also_bought': ['x']}}
{'asin': __import__('os').getcwd()}
not even that
"""
META_2018 = """\
{"asin": "0205616461", "title": "Fish & Oil", "price": "$12.99", \
"category": ["Beauty", "Skin Care"], "brand": "Bio"}
{"asin": "0558925278", "title": null, "price": "$1.00 - $5.00", "category": []}
{"title": "no code"}
{"asin":
"""
META_2023 = """\
{"parent_asin": "0205616461", "title": "Fish & Oil", "price": 12.99, \
"categories": ["Beauty", "Skin Care"], "store": "Bio"}
"""
META_CSV = "item_id,asin,title,category_paths\n0205616461,B1,Fish &amp; Oil,Beauty > Skin Care || Health\n"


@pytest.fixture
def prepare_amazon(tmp_path: Path, make_config: MakeConfig, now: datetime) -> Callable[..., Report]:
    def run(reviews: str, *, items: str | None = None) -> Report:
        path = tmp_path / "reviews"
        path.write_text(reviews, encoding="utf-8")
        if items is None:
            return prepare(make_config(path, reader="amazon_reviews"), now=now)
        (tmp_path / "meta").write_text(items, encoding="utf-8")
        return prepare(make_config(path, f"data.items={tmp_path / 'meta'}", reader="amazon_reviews"), now=now)

    return run


def rejected(workspace: Path) -> list[tuple[int, str]]:
    return sorted(Tables.open(workspace / "tables").rejected.select("line", "reason").collect().rows())


@pytest.mark.parametrize(
    ("reviews", "broken"),
    [
        (RATINGS_2014, [(3, "too few fields")]),
        (RATINGS_2018, [(3, "too few fields")]),
        (REVIEWS, [(4, "rating is not a number"), (5, "not a JSON object")]),
        (CSV_2023, []),
        (CSV_2023.replace("user_id,parent_asin,rating,timestamp", "UserId,ProductId,Rating,Timestamp"), []),
    ],
    ids=["2014 ratings", "2018 ratings", "reviews", "2023 csv", "csv with other names"],
)
def test_every_form_gives_the_same_reviews(
    prepare_amazon: Callable[..., Report], workspace: Path, reviews: str, broken: list[tuple[int, str]]
) -> None:
    report = prepare_amazon(reviews)
    events = (
        Tables.open(workspace / "tables").events.select("user_id", "item_id", "rating", "timestamp").collect()
    )
    assert events.rows() == EXPECTED
    assert report.event_types == {"review": 3}
    assert rejected(workspace) == broken


def test_a_review_that_stands_there_twice_counts_once_and_its_text_is_kept(
    prepare_amazon: Callable[..., Report], workspace: Path
) -> None:
    report = prepare_amazon(REVIEWS)
    assert report.dropped == {"duplicate event": 1}
    assert Tables.open(workspace / "tables").events.select("review_text").collect().to_series().to_list() == [
        None,
        "Nice ♥",
        None,
    ]


def test_the_report_says_in_which_order_ratings_were_read(prepare_amazon: Callable[..., Report]) -> None:
    assert "is read as item_id, user_id, rating, timestamp" in prepare_amazon(RATINGS_2018).remarks[0]
    assert "is read as user_id, item_id, rating, timestamp" in prepare_amazon(RATINGS_2014).remarks[0]


@pytest.mark.parametrize(
    ("items", "price", "brand"),
    [(META_2014, 12.99, "Bio"), (META_2018, 12.99, "Bio"), (META_2023, 12.99, "Bio"), (META_CSV, None, None)],
    ids=["2014", "2018", "2023", "csv"],
)
def test_every_form_of_metadata_gives_the_same_item(
    prepare_amazon: Callable[..., Report], workspace: Path, items: str, price: float | None, brand: str | None
) -> None:
    prepare_amazon(RATINGS_2014, items=items)
    rows = Tables.open(workspace / "tables").items.filter(id="0205616461")
    assert rows.select("title", "product_type", "price", "brand").collect().rows() == [
        ("Fish & Oil", "Beauty > Skin Care", price, brand)
    ]


def test_metadata_that_is_no_literal_is_rejected_and_never_run(
    prepare_amazon: Callable[..., Report], workspace: Path
) -> None:
    prepare_amazon(CSV_2023, items=META_2014)
    no_item = "neither a JSON object nor a Python literal of one"
    assert rejected(workspace) == [(3, no_item), (4, no_item)]
    prepare_amazon(CSV_2023, items=META_2018)
    assert rejected(workspace) == [(3, "id is missing"), (4, no_item)]
    assert (
        Tables.open(workspace / "tables").items.filter(id="0558925278").select("price").collect().item()
        is None
    )


def test_files_of_another_kind_are_errors(prepare_amazon: Callable[..., Report]) -> None:
    with pytest.raises(DataError, match="none of 2 lines is an item"):
        prepare_amazon(CSV_2023, items="{nothing\n{here\n")
    with pytest.raises(
        DataError, match=r"no column 'unixReviewTime' or 'timestamp'.*found are: user_id, asin"
    ):
        prepare_amazon("user_id,asin\nA1,B1\n")
