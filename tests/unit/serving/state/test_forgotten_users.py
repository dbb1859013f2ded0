"""Who was deleted, or did not consent, is in no file of the workspace after the next `prepare`, whatever the
shop's own files say."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from configs.schema import Config
from features.core.ids import user_key
from features.prepare import prepare
from serving.state.event_transfer import import_events
from serving.state.forgotten_users import forgotten_users
from serving.state.protocol import StateStore
from serving.state.store_location import StoreLocation, open_store

NOW = datetime(2024, 6, 1, tzinfo=UTC)
SECRET = "ann-secret"
DELETED_AT = int((NOW - timedelta(days=5)).timestamp() * 1e6)


def row(days_ago: int, who_and_what: str, *, hours: int = 0) -> str:
    """A line of the shop's file: a purchase so long before `NOW`."""
    return f"purchase,{NOW - timedelta(days=days_ago, hours=hours):%Y-%m-%dT%H:%M:%SZ},{who_and_what}"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A shop of 60 people; ann came back after she was deleted."""
    rows = [
        row(day, f"user{user},,item{(user + day) % 20}", hours=user % 20)
        for user in range(60)
        for day in range(1, 30)
    ]
    rows += [row(day, f"{SECRET},v-secret,item1") for day in range(6, 30)]
    rows += [row(9, ",v-secret,item2"), row(9, "no-secret,,item3"), f"purchase,at noon,{SECRET},,item1"]
    header = "event_type,timestamp,user_id,visitor_id,item_id"
    (tmp_path / "events.csv").write_text("\n".join([header, *rows]) + "\n")
    (tmp_path / "users.csv").write_text(f"user_id,tier\nuser1,gold\n{SECRET},gold\nno-secret,red\n")
    return Config.model_validate(
        {
            "name": "shop",
            "workspace": tmp_path / "shop",
            "data": {"reader": "csv", "events": tmp_path / "events.csv", "users": tmp_path / "users.csv"},
            "split": {"window_days": 3},
        }
    )


@pytest.fixture
def store(config: Config, location: StoreLocation) -> Iterator[StateStore]:
    """With ann's events of the tables; she and another are then forgotten."""
    prepare(config, now=NOW)
    import_events(config.workspace / "tables", location)
    with open_store(location) as store:
        asyncio.run(store.users.forget(SECRET, reason="deleted", now=DELETED_AT))
        asyncio.run(store.users.forget("no-secret", reason="no_consent", now=1))
        yield store


def test_no_file_of_the_workspace_has_them_after_prepare(
    config: Config, store: StateStore, location: StoreLocation
) -> None:
    assert "secret" in texts(config.workspace / "tables" / "events.parquet")
    prepare(config, now=NOW, forgotten=forgotten_users(location))
    files = [path for path in config.workspace.rglob("*") if path.is_file()]
    assert len(files) > 15
    assert [path.name for path in files if "secret" in texts(path)] == []
    users = pl.read_parquet(config.workspace / "tables" / "users.parquet")["user_id"].to_list()
    assert users == ["user1"]


def test_what_they_do_afterwards_is_that_of_a_new_customer(
    config: Config, store: StateStore, location: StoreLocation
) -> None:
    with Path(str(config.data.events)).open("a") as file:
        rows = [row(1, f"{SECRET},,item{number}", hours=number) for number in range(3)]
        file.write("\n".join([*rows, row(1, "no-secret,,item4")]) + "\n")
    prepare(config, now=NOW, forgotten=forgotten_users(location))
    events = pl.read_parquet(config.workspace / "tables" / "events.parquet")
    known = events.filter(pl.col("user_id").cast(pl.String).str.contains("secret"))
    assert sorted(known["item_id"].cast(pl.String).to_list()) == ["item0", "item1", "item2"]


def test_an_import_of_earlier_tables_brings_nobody_back(config: Config, location: StoreLocation) -> None:
    prepare(config, now=NOW)
    with open_store(location) as store:
        asyncio.run(store.users.forget(SECRET, reason="deleted", now=DELETED_AT))
        asyncio.run(store.users.forget("visitor:v-secret", reason="deleted", now=DELETED_AT))
        import_events(config.workspace / "tables", location)
        assert store.num_events(SECRET) == 0
        assert store.num_events(user_key(user_id=None, visitor_id="v-secret") or "") == 0
        assert store.num_events("user1") > 0


def test_nobody_is_forgotten_without_a_store(location: StoreLocation) -> None:
    assert forgotten_users(location) is None
    open_store(location).close()
    assert forgotten_users(location) is None


def texts(path: Path) -> str:
    """All that can be read in a file, compressed tables included."""
    content = path.read_bytes()
    raw = content.decode("latin-1")
    if path.suffix == ".parquet":
        table = pl.read_parquet(io.BytesIO(content))
        raw += str(table.select(pl.all().cast(pl.String, strict=False)).rows())
    return raw
