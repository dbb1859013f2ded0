"""The life stage of a live history is that of the tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from odd_shop import NOW, bought, settings

from configs.settings.customers import CustomersConfig
from features.customers.compute import compute_customers
from features.customers.life_stage import STAGES, life_stage_of
from features.customers.purchase_cycle import shop_cycle_of
from features.dataset import Dataset
from features.ingest.tables import Tables
from features.prepare import prepare

RULES = CustomersConfig(new_days=20, loyal_orders=4, min_cycle_days=3, time_zone="Asia/Tokyo")


def test_one_history_and_the_tables_give_the_same_stage(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    rows: list[dict[str, object]] = []
    for user in range(80):
        begin, gap, until = generator.uniform(0, 40), generator.uniform(0.3, 15), generator.uniform(5, 50)
        for visit in range(12):
            if (when := begin + visit * gap) < until:
                rows.append(bought(f"u{user}", f"i{visit % 3}", day=when))
                if visit == 1:
                    rows.append({**bought(f"u{user}", "i1", day=when + 0.01), "event_type": "refund"})
        rows.append({**bought(f"u{user}", "i0", day=50), "event_type": "view_item"})
    config = settings(tmp_path, rows, "prepare.min_window_users=0")
    prepare(config, now=NOW)
    dataset = Dataset.open(config.workspace / "dataset")
    tables = compute_customers(Tables.open(config.workspace / "tables"), RULES)
    as_of = (tables.as_of - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    users = pl.read_parquet(dataset.folder / "users.parquet")["user_id"].to_list()
    live = {
        user: life_stage_of(dataset.history(place), as_of=as_of, shop_cycle=tables.shop_cycle, rules=RULES)
        for place, user in enumerate(users)
    }
    assert live == dict(tables.profiles.select("user_id", "life_stage").iter_rows())
    assert set(live.values()) == set(STAGES)


def test_the_shops_cycle_of_the_dataset_is_that_of_the_tables(tmp_path: Path) -> None:
    rows = [bought(f"u{user}", "i0", day=visit * (user + 1)) for user in range(9) for visit in range(4)]
    config = settings(tmp_path, rows, "prepare.min_window_users=0")
    prepare(config, now=NOW)
    dataset = Dataset.open(config.workspace / "dataset")
    found = compute_customers(Tables.open(config.workspace / "tables"), CustomersConfig()).shop_cycle
    assert shop_cycle_of(dataset.users, np.asarray(dataset.times)) == found == pytest.approx(5)
