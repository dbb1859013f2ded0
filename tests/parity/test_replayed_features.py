"""Features kept fresh by live events are those that the lazy pass makes of the same events: what is served
was trained on.

A log is sent event by event through the live store, late arrivals and all, and looked at from both sides
after each.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose

from configs.load import load_config
from configs.schema import Config
from features.core.columns import EVENT_TYPE_CODE, ITEM_EVENT_TYPES, MICROSECONDS_PER_DAY
from features.dataset import Dataset
from features.histories import History
from features.interactions import Interactions
from features.prepare import prepare
from features.profiles.item_profiles import ItemProfiles
from features.profiles.point_in_time import item_features_as_of, user_features_as_of
from features.profiles.user_features import USER_NUMBERS, UserFeatures, user_features
from features.splits import split_points
from serving.state.event_log import Event
from serving.state.event_transfer import export_events
from serving.state.live_events import ExchangeRates, parse_event, to_rows
from serving.state.store import EventStore

START = datetime(2024, 3, 1, tzinfo=UTC)
NOW = START + timedelta(days=40)
PEOPLE = ("ann", "bob")
ITEMS = {f"i{number}": number for number in range(8)}
CATEGORIES = np.array([4, 4, 2, 2, 7, -1, 7, -1], np.int32)
CATEGORY_OF = dict(zip(ITEMS, CATEGORIES.tolist(), strict=True))
PURCHASE = np.array([EVENT_TYPE_CODE["purchase"]], np.int8)
FACTS_OF_A_STRANGER = (0.0, 0.0, 0.0, 0.0, 0.0, -1)

Send = dict[str, object]
Facts = tuple[float, ...]


def sends(number: int = 80) -> Iterator[Send]:
    """What two people do, in turns: looks, carts, baskets, refunds; several at one time; one in five arrives
    days late."""
    chance = random.Random(5)
    for step in range(number):
        kind = chance.choice(
            ["view_item", "add_to_cart", "purchase", "purchase", "purchase", "refund", "search"]
        )
        hours = 6 * step - (chance.randrange(200) if chance.random() < 0.2 else 0)
        send: Send = {
            "event_id": f"e{step}",
            "event_type": kind,
            "user_id": PEOPLE[chance.randrange(2)],
            "timestamp": (START + timedelta(hours=max(0, hours - hours % 12))).isoformat(),
        }
        if kind == "search":
            yield send | {"search_term": "tea"}
            continue
        items = [f"i{chance.randrange(8)}" for _ in range(chance.randint(1, 4))]
        lines: list[Send] = [{"item_id": item, "price": round(chance.random() * 9, 2)} for item in items]
        if chance.random() < 0.2:
            del lines[0]["price"]
        if kind in ("purchase", "refund") and chance.random() < 0.6:
            send["transaction_id"] = f"t{step // 8}"  # lines of it may arrive later, with another time
        yield send | {"items": lines}


def as_table(log: list[Event]) -> pl.LazyFrame:
    """The log as the lazy pass takes it; all events of a transaction have the earliest of their times."""
    of_items = [event for event in log if event.event_type in ITEM_EVENT_TYPES]
    rows = [
        (
            PEOPLE.index(event.user_key),
            event.timestamp,
            EVENT_TYPE_CODE[event.event_type],
            event.price,
            event.item_id,
            event.transaction_id,
        )
        for event in of_items
    ]
    types = {
        "user": pl.Int32,
        "time": pl.Int64,
        "kind": pl.Int8,
        "price": pl.Float32,
        "item": pl.String,
        "basket": pl.String,
    }
    table = pl.LazyFrame(rows, schema=types, orient="row")
    earliest = pl.col("time").min().over("user", "kind", "basket")
    return table.with_columns(
        pl.when(pl.col("basket").is_not_null()).then(earliest).otherwise("time").alias("time"),
        pl.col("item").replace_strict(CATEGORY_OF, return_dtype=pl.Int32).alias("category"),
    ).sort("user", "time")


def offline(log: list[Event], *, as_of: int) -> dict[str, Facts]:
    frame = user_features_as_of(
        as_table(log), as_of=as_of, profile_event_types=("purchase",), has_times=True
    ).collect()
    return {PEOPLE[row[0]]: row[1:] for row in frame.rows()}


def online(store: EventStore, who: str, *, as_of: int) -> Facts:
    history = store.history(who, ITEMS, limit=5_000)
    return facts(
        user_features(
            history, as_of=as_of, profile_event_types=PURCHASE, item_categories=CATEGORIES, has_times=True
        )
    )


def facts(found: UserFeatures) -> Facts:
    return (*found.numbers.tolist(), found.category)


def test_after_every_live_event_both_sides_say_the_same(tmp_path: Path) -> None:
    log: list[Event] = []
    seen: set[Facts] = set()
    with EventStore.open(tmp_path / "events.db") as store:
        for send in sends():
            now = int(NOW.timestamp() * 1e6)
            rows = to_rows(parse_event(send), now=now, exchange_rates=ExchangeRates("USD"))
            store.append_now(rows, received_at=0)
            log += rows
            latest = max(event.timestamp for event in log)
            for as_of in (rows[0].timestamp, latest, latest + 1 + MICROSECONDS_PER_DAY):
                expected = offline(log, as_of=as_of)
                for who in PEOPLE:
                    found = online(store, who, as_of=as_of)
                    assert_allclose(
                        found,
                        expected.get(who, FACTS_OF_A_STRANGER),
                        rtol=1e-6,
                        err_msg=f"{who} after {send}",
                    )
                    seen.add(found)
    assert len(seen) > 150


def test_the_next_dataset_has_what_the_live_store_said_at_the_time_of_each_event(tmp_path: Path) -> None:
    with EventStore.open(tmp_path / "events.db") as store:
        for send in sends():
            now = int(NOW.timestamp() * 1e6)
            rows = to_rows(parse_event(send), now=now, exchange_rates=ExchangeRates("USD"))
            store.append_now(rows, received_at=0)
        export_events(tmp_path / "events.db", tmp_path / "exported")
        overrides = ["data.reader=parquet", f"data.events={tmp_path / 'exported' / 'events.parquet'}"]
        overrides += ["prepare.min_item_events=1", "prepare.min_active_users=1", "prepare.min_window_users=0"]
        prepare(load_config(overrides=overrides, workspace=tmp_path / "shop"), now=NOW)
        dataset = Dataset.open(tmp_path / "shop" / "dataset")
        people = pl.read_parquet(dataset.folder / "users.parquet")["user_id"].to_list()
        item_ids = pl.read_parquet(dataset.folder / "items.parquet")["id"].to_list()
        index = {item: place for place, item in enumerate(item_ids)}
        for user, who in enumerate(people):
            assert_rows_match(dataset, user, store.history(who, index, limit=5_000))


def test_every_row_of_the_shop_is_what_the_history_before_it_says(shop_dataset: Dataset) -> None:
    for user in range(shop_dataset.num_users):
        assert_rows_match(shop_dataset, user, shop_dataset.history(user))


def assert_rows_match(dataset: Dataset, user: int, history: History) -> None:
    rows = slice(int(dataset.offsets[user]), int(dataset.offsets[user + 1]))
    numbers, favourites = dataset.user_numbers[rows], dataset.user_categories[rows]
    event_types, categories = dataset.profile_event_types, np.asarray(dataset.categories)
    found = [
        user_features(
            history,
            as_of=int(time),
            profile_event_types=event_types,
            item_categories=categories,
            has_times=True,
        )
        for time in dataset.times[rows]
    ]
    assert_allclose(np.stack([one.numbers for one in found]), numbers, rtol=1e-6)
    assert [one.category for one in found] == favourites.tolist()


@pytest.mark.parametrize("which", [0, 1, 2])
def test_item_profiles_are_the_item_features_as_of_the_split_point(
    which: int, shop_config: Config, shop_dataset: Dataset, prepared_shop: Path
) -> None:
    point = split_points(shop_dataset, shop_config.split)[which]
    tables = ItemProfiles.fit(Interactions.before(shop_dataset, point, shop_config), shop_config)
    items = pl.scan_parquet(shop_dataset.folder / "items.parquet").select(pl.col("id").alias("item_id"))
    bought = (
        pl.scan_parquet(prepared_shop / "tables" / "events.parquet")
        .filter(pl.col("event_type") == "purchase")
        .join(items.with_row_index("item"), on="item_id")
        .select(
            "item", "price", pl.col("timestamp").dt.epoch("us").alias("time"), pl.lit(1.0).alias("weight")
        )
    )
    found = item_features_as_of(
        bought, as_of=point.as_of, days=shop_config.retrievers.popularity_days
    ).collect()
    known = found["item"].to_numpy()
    np.testing.assert_array_equal(known, np.flatnonzero(tables.known))
    assert_allclose(found["popularity"], tables.popularity[known], rtol=1e-6)
    assert_allclose(found["popularity_before"], tables.popularity_before[known], rtol=1e-6)
    assert_allclose(found["mean_price"], tables.price[known], rtol=1e-6)
    assert_allclose(found["age_days"], (point.as_of - tables.first_seen[known]) / MICROSECONDS_PER_DAY)
    assert_allclose(found["last_price"], found["mean_price"], rtol=1e-6)  # this shop never changes a price


def test_the_columns_are_those_of_the_plain_features() -> None:
    frame = user_features_as_of(as_table([]), as_of=0, profile_event_types=("purchase",), has_times=True)
    assert tuple(frame.collect_schema().names()) == ("user", *USER_NUMBERS, "category")
