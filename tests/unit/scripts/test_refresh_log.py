"""A night can begin with the live server's log instead of the shop's files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from shop import NOW

from configs.load import load_config
from configs.schema import Config
from features.core.columns import EVENT_TYPE_CODE
from features.dataset import Dataset
from features.prepare import prepare
from scripts.refresh import write_log
from serving.state.event_log import Event
from serving.state.store import EventStore


def shop_of_purchases(folder: Path) -> Config:
    """A file of sales under the shop's own names, every row a purchase, and a catalogue in CSV."""
    rows = [f"2024-01-0{day},u{user},tea" for user in range(5) for day in (1, 2)]
    (folder / "sales.csv").write_text("sold_at,customer,sku\n" + "\n".join(rows) + "\n", encoding="utf-8")
    (folder / "items.csv").write_text("id,title\ntea,Tea\ncup,Cup\n", encoding="utf-8")
    columns = "{timestamp: sold_at, user_id: customer, item_id: sku}"
    settings = [f"data.events={folder / 'sales.csv'}", f"data.items={folder / 'items.csv'}"]
    settings += ["data.event_type=purchase", f"data.event_columns={columns}"]
    lenient = ["prepare.min_item_events=1", "prepare.min_active_users=1", "prepare.min_window_users=0"]
    return load_config(overrides=[*settings, *lenient], workspace=folder / "shop")


def test_events_of_the_files_and_of_the_server_both_count_each_with_its_type(tmp_path: Path) -> None:
    config = shop_of_purchases(tmp_path)
    first = write_log(config)
    prepare(config, now=NOW, event_log=first)
    before = Dataset.open(config.workspace / "dataset")
    assert len(before.items) == 10
    viewed = Event("live-1", 0, "view_item", int(NOW.timestamp() * 1e6), user_id="u1", item_id="cup")
    with EventStore.open(config.workspace / "events.db") as store:
        store.append_now([viewed], received_at=viewed.timestamp)
    prepare(config, now=NOW, event_log=write_log(config))
    after = Dataset.open(config.workspace / "dataset")
    assert np.bincount(after.event_types)[EVENT_TYPE_CODE["purchase"]] == 10
    assert np.bincount(after.event_types)[EVENT_TYPE_CODE["view_item"]] == 1
    assert after.training_data != before.training_data
    assert write_log(config).is_file()
