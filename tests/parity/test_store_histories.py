"""The server's history of a person is the dataset's: a model is served what it was trained on.

The same shop goes both ways, raw file → dataset and raw file → tables → event store, and out of the store
again.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from configs.load import load_config
from features.dataset import Dataset
from features.histories import History
from features.prepare import prepare
from serving.state.event_transfer import export_events, import_events
from serving.state.store import EventStore

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
KINDS = ["purchase"] * 5 + ["refund", "view_item", "add_to_cart", "view_item_list", "search"]


def write_shop(path: Path) -> Path:
    """Two months with all that can go wrong with an order of events: shared times, split baskets, refunds,
    visitors, gaps."""
    chance = random.Random(3)
    rows = []
    for number in range(1500):
        kind = chance.choice(KINDS)
        who = chance.randrange(30)
        in_basket = kind in ("purchase", "refund") and chance.random() < 0.7
        rows.append(
            {
                "event_type": kind,
                "timestamp": (NOW - timedelta(minutes=15 * chance.randrange(4000))).isoformat(),
                "user_id": None if who < 5 else f"u{who}",
                "visitor_id": f"u{who}" if who < 10 else None,
                "item_id": None if kind == "search" else f"i{chance.randrange(40)}",
                "price": None if chance.random() < 0.2 else f"{chance.random() * 9:.2f}",
                "transaction_id": f"t{who}-{number // 50}" if in_basket else None,
            }
        )
    pl.DataFrame(rows).write_csv(path)
    return path


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with tables, dataset and event store."""
    folder = tmp_path_factory.mktemp("shop")
    prepare_shop(folder / "shop", reader="csv", events=write_shop(folder / "events.csv"))
    import_events(folder / "shop" / "tables", folder / "shop" / "events.db")
    return folder / "shop"


def prepare_shop(workspace: Path, *, reader: str, events: Path) -> Dataset:
    overrides = [
        f"data.reader={reader}",
        f"data.events={events}",
        "prepare.min_active_users=1",
        "prepare.min_window_users=0",
        "prepare.max_rejected_share=0.1",
    ]
    prepare(load_config(overrides=overrides, workspace=workspace), now=NOW)
    return Dataset.open(workspace / "dataset")


def first_of_basket(history: History) -> list[int]:
    """For each event the place of the first one of its basket: basket numbers mean nothing by themselves."""
    return [int(np.argmax(history.baskets == basket)) for basket in history.baskets]


def assert_same(ours: History, expected: History) -> None:
    np.testing.assert_array_equal(ours.items, expected.items)
    np.testing.assert_array_equal(ours.event_types, expected.event_types)
    np.testing.assert_array_equal(ours.times, expected.times)
    np.testing.assert_array_equal(ours.prices, expected.prices)
    assert first_of_basket(ours) == first_of_basket(expected)


def test_every_history_of_the_store_is_that_of_the_dataset(shop: Path) -> None:
    dataset = Dataset.open(shop / "dataset")
    users = pl.read_parquet(shop / "dataset" / "users.parquet")["user_id"].to_list()
    item_ids = pl.read_parquet(shop / "dataset" / "items.parquet")["id"].to_list()
    item_index = {item: index for index, item in enumerate(item_ids)}
    assert any(user.startswith("visitor:") for user in users)
    with EventStore.open(shop / "events.db") as store:
        for index, user in enumerate(users):
            assert_same(store.history(user, item_index, limit=5000), dataset.history(index))


def test_a_dataset_made_from_the_stores_export_is_the_same(shop: Path, tmp_path: Path) -> None:
    export_events(shop / "events.db", tmp_path / "exported")
    again = prepare_shop(
        tmp_path / "again", reader="parquet", events=tmp_path / "exported" / "events.parquet"
    )
    before = Dataset.open(shop / "dataset")
    for name in ("items", "event_types", "times", "prices", "offsets", "baskets"):
        np.testing.assert_array_equal(getattr(again, name), getattr(before, name), err_msg=name)
