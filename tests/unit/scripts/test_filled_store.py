"""The event store holds the tables of the last `prepare`, whatever came before."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from shop import NOW

from configs.load import load_config
from configs.schema import Config
from features.prepare import prepare
from scripts.store import filled_store
from serving.state.store import EventStore
from serving.state.store_location import StoreLocation


def prepared(folder: Path, users: int) -> Config:
    """A workspace with tables of two purchases a user."""
    rows = [f"2024-01-0{day},u{user},tea" for user in range(users) for day in (1, 2)]
    (folder / "a.csv").write_text("timestamp,user_id,item_id\n" + "\n".join(rows) + "\n", encoding="utf-8")
    lenient = ["prepare.min_item_events=1", "prepare.min_active_users=1", "prepare.min_window_users=0"]
    settings = [f"data.events={folder / 'a.csv'}", "data.event_type=purchase", *lenient]
    config = load_config(overrides=settings, workspace=folder / "shop")
    prepare(config, now=NOW)
    return config


def num_events(location: StoreLocation) -> int:
    assert isinstance(location, Path)
    with closing(sqlite3.connect(location)) as connection:
        return int(connection.execute("SELECT count(*) FROM events").fetchone()[0])


def test_a_store_that_is_there_gets_tables_that_it_lacks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = prepared(tmp_path, users=2)
    EventStore.open(config.workspace / "events.db").close()  # as an import that was cut off leaves it
    assert num_events(filled_store(config)) == 4
    prepared(tmp_path, users=3)
    assert num_events(filled_store(config)) == 6
    said = capsys.readouterr().err
    assert num_events(filled_store(config)) == 6
    assert "imported 4 events" in said
    assert capsys.readouterr().err == "", "nothing was done"


def test_without_tables_there_is_nothing_to_import(tmp_path: Path) -> None:
    assert filled_store(load_config(workspace=tmp_path)) == tmp_path / "events.db"
    assert list(tmp_path.iterdir()) == []
