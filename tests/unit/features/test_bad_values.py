"""Values that no shop means: which rows are rejected, and how the others are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import odd_shop
import polars as pl
import pytest
from odd_shop import bought, usual

from configs.exceptions import ConfigError, DataError
from configs.load import load_config
from features.interactions import Interactions
from features.prepare import prepare
from features.profiles.item_profiles import ItemProfiles
from features.retrievers.co_occurrence import CoOccurrence
from features.splits import split_points

LENIENT = "prepare.max_rejected_share=0.2"


def rejected(tmp_path: Path, rows: list[dict[str, object]]) -> dict[str, int]:
    """Reasons of the rows that were rejected beside those of a usual shop."""
    return prepare(odd_shop.settings(tmp_path, [*usual(), *rows], LENIENT), now=odd_shop.NOW).rejected


def test_prices_that_are_no_amount_of_money_are_rejected(tmp_path: Path) -> None:
    prices = ("nan", "inf", "-inf", "1e400", "abc", "-1", "1e308", "1e13", "0", "1e12", "")
    found = rejected(tmp_path, [bought("u0", "i1", day=3, price=price) for price in prices])
    assert found == {
        "events: price is not a number": 5,
        "events: price is above 1e+12": 2,
        "events: price is negative": 1,
    }


def test_catalogue_prices_that_are_no_amount_of_money_are_rejected(tmp_path: Path) -> None:
    items = [
        {"id": f"i{number}", "price": price}
        for number, price in enumerate(("nan", "-1", "1e308", "0", "1e12", ""))
    ]
    config = odd_shop.settings(tmp_path, usual(), "prepare.max_rejected_share=0.5", items=items)
    found = prepare(config, now=odd_shop.NOW).rejected
    assert found == {
        "items: price is above 1e+12": 1,
        "items: price is negative": 1,
        "items: price is not a number": 1,
    }


@pytest.mark.parametrize("rate", ["0", "-1", "nan", "inf"])
def test_a_rate_of_exchange_that_is_none_is_an_error(rate: str) -> None:
    with pytest.raises(ConfigError, match=r"prepare\.exchange_rates\.USD"):
        load_config(overrides=["prepare.currency=EUR", f"prepare.exchange_rates.USD={rate}"])


def test_times_outside_of_any_shops_life_are_rejected(tmp_path: Path) -> None:
    times = ("0001-01-01", "1969-12-31T23:00:00Z", "9999-12-31", "2262-04-12", "99999-01-01", "soon", "")
    found = rejected(tmp_path, [bought("u0", "i1") | {"timestamp": time} for time in times])
    assert sum(found.values()) == len(times)
    assert found["events: timestamp is more than a day ahead"] == 2
    assert found["events: timestamp is before 1970"] == 2


@pytest.mark.parametrize("column", ["timestamp", "user_id", "item_id", "event_type"])
def test_a_needed_column_that_is_all_null_stops_with_its_name(tmp_path: Path, column: str) -> None:
    config = odd_shop.settings(tmp_path, [row | {column: ""} for row in usual()])
    with pytest.raises(
        DataError,
        match=r"128 of 128 rows of the events were rejected(.|\n)*Correct the data or its column mapping",
    ):
        prepare(config, now=odd_shop.NOW)
    assert [path.name for path in config.workspace.iterdir()] == ["rejected.parquet"]


def test_columns_of_the_catalogue_that_are_all_null_say_nothing(tmp_path: Path) -> None:
    names = ("title", "product_type", "brand", "price", "availability", "currency")
    items = [{"id": f"i{number}", **dict.fromkeys(names, "")} for number in range(12)]
    dataset = odd_shop.prepared(odd_shop.settings(tmp_path, usual(), items=items))
    assert not np.asarray(dataset.item_content).any()
    assert dataset.item_content_sizes[:4] == (1, 1, 1, 1)


def test_a_refund_without_a_purchase_takes_nothing_away(tmp_path: Path) -> None:
    refunds = [
        bought(user, item, day=20) | {"event_type": "refund"}
        for user, item in (("u0", "never"), ("stranger", "i1"))
    ]
    assert rejected(tmp_path, refunds) == {}
    users = pl.read_parquet(tmp_path / "shop" / "dataset" / "users.parquet")["user_id"]
    assert "stranger" in users.to_list()


def test_ids_of_quotes_lines_and_signs_stay_whole_and_one_too_long_is_rejected(tmp_path: Path) -> None:
    names = ["a\nb", 'q"uo"te', "comma, id", "💐", "NaN", "null", "-1", "1e5", "../../etc/passwd", "x" * 256]
    found = rejected(tmp_path, [bought(name, name, day=3) for name in [*names, "x" * 257, "é" * 129]])
    assert found == {"events: an id is longer than 256 bytes": 2}
    for table, column in (("items", "id"), ("users", "user_id")):
        kept = pl.read_parquet(tmp_path / "shop" / "dataset" / f"{table}.parquet")[column].to_list()
        assert set(names) <= set(kept)


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ('{"tier": "gold"}', True),
        ('{"tier": "' + "x" * 100_000 + '"}', True),
        ("[" * 5_000, False),
        ("[1]", False),
        ("{", False),
    ],
)
def test_attributes_of_a_user_are_an_object_of_json_or_say_nothing(
    tmp_path: Path, text: str, *, known: bool
) -> None:
    users = [{"user_id": "u0", "attributes": text}, {"user_id": "u1", "attributes": '{"tier": "silver"}'}]
    dataset = odd_shop.prepared(odd_shop.settings(tmp_path, usual(), users=users))
    assert dataset.user_attribute_sizes == ((3,) if known else ())


@pytest.mark.parametrize(
    ("rows", "num_events"),
    [
        ([bought("u0", f"b{number}", day=3, transaction_id="T") for number in range(50_000)], 50_128),
        ([bought("u0", f"i{number % 12}", day=number / 2_600) for number in range(100_000)], 100_128),
    ],
    ids=["a basket of 50,000 items", "a user with 100,000 events"],
)
def test_one_that_is_as_large_as_a_shop_stays_in_the_data_and_out_of_what_goes_together(
    tmp_path: Path, rows: list[dict[str, object]], num_events: int
) -> None:
    config = odd_shop.settings(tmp_path, [*usual(), *rows])
    dataset = odd_shop.prepared(config)
    assert len(dataset.items) == num_events
    interactions = Interactions.before(dataset, split_points(dataset, config.split)[2], config)
    assert ItemProfiles.fit(interactions, config).known.sum() == dataset.num_items
    assert (CoOccurrence.fit(interactions, config).items == -1).all(), (
        "no two items were together twice, but in what is too large to count"
    )


def test_an_item_that_everyone_buys_every_time_is_popular_and_hides_no_other(tmp_path: Path) -> None:
    hits = [
        bought(f"u{user}", "hit", day=6 * session + user / 16) for user in range(16) for session in range(8)
    ]
    config = odd_shop.settings(tmp_path, [*usual(), *hits])
    dataset = odd_shop.prepared(config)
    interactions = Interactions.before(dataset, split_points(dataset, config.split)[2], config)
    profiles = ItemProfiles.fit(interactions, config)
    ids = pl.read_parquet(dataset.folder / "items.parquet")["id"].to_list()
    assert ids[int(profiles.popularity.argmax())] == "hit"
    assert profiles.known.all()
