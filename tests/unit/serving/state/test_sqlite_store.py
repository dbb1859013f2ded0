"""The file of SQLite: what is refused, what is brought up to date, and that it is read by its indexes."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from configs.exceptions import ServingError
from serving.state.event_log import EVENT_KEY_INDEX, OTHER_EVENTS_INDEX, USER_TIME_INDEX, Event
from serving.state.history_queries import _LATEST
from serving.state.store import _HAS_KEY, EventStore

ITEMS = {"apple": 0, "bread": 1, "cheese": 2}


def event(number: int, *, item: str | None = "apple") -> Event:
    """A purchase of `item`, or with `item=None` a page view."""
    return Event(f"e{number}", 0, "purchase" if item else "page_view", number, user_id="ann", item_id=item)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EventStore]:
    with EventStore.open(tmp_path / "events.db") as opened:
        yield opened


def test_whether_an_event_is_stored_is_found_by_its_key(store: EventStore) -> None:
    """By the index: a look at every event would take a request's time."""
    with sqlite3.connect(store.path) as connection:
        (plan,) = connection.execute(f"EXPLAIN QUERY PLAN {_HAS_KEY}", ("e", "search", "", 0)).fetchall()
    connection.close()
    assert f"INDEX {EVENT_KEY_INDEX} (event_id=? AND event_type=? AND <expr>=? AND line=?)" in plan[3]


@pytest.mark.parametrize("content", [b"this is no database, however long it may be" * 100, None])
def test_a_file_that_is_no_event_store_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "events.db"
    if content is None:
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE someone_elses (x)")
        connection.close()
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(ServingError, match=r"events\.db.*(events import|another folder)"):
        EventStore.open(path)
    assert path.read_bytes() == before


def test_a_store_of_another_schema_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    EventStore.open(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 1")
    connection.close()
    with pytest.raises(ServingError, match=r"schema 1, expected 6\): move it away.*events import"):
        EventStore.open(path)


def test_a_store_of_the_schema_before_is_brought_up_to_this_one(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    with EventStore.open(path) as store:
        store.append_now([event(1), event(2, item=None)], received_at=5)
    connection = sqlite3.connect(path)
    for table in ("items", "users", "suppressed", "user_changes", "salt"):
        connection.execute(f"DROP TABLE {table}")
    connection.execute(f"DROP INDEX {OTHER_EVENTS_INDEX}")
    connection.execute("PRAGMA user_version = 4")
    connection.close()
    with EventStore.open(path) as store:
        assert len(store.history("ann", ITEMS, limit=10)) == 1
        asyncio.run(store.users.forget("ann", reason="deleted", now=6))
        assert len(store.history("ann", ITEMS, limit=10)) == 0
        asyncio.run(store.items.change({"apple": {"price": 3}}, now=7))
        assert [change.fields for change in store.items.changed(since=0)] == [{"price": 3}]


def test_a_path_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(ServingError, match="choose a folder you may write to"):
        EventStore.open(tmp_path / "file" / "events.db")
    with pytest.raises(ServingError, match=r"folder\.db.*may write"):
        EventStore.open(tmp_path / "folder.db")


def test_an_append_that_cannot_be_stored_fails(store: EventStore) -> None:
    store.append_now([event(1)], received_at=5)
    connection = sqlite3.connect(store.path)
    connection.execute("ALTER TABLE events RENAME TO lost")
    connection.close()
    with pytest.raises(ServingError, match="no such table"):
        store.append_now([event(2)], received_at=6)


def test_a_log_with_the_narrow_index_of_histories_gets_the_wide_one(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    with EventStore.open(path):
        pass
    connection = sqlite3.connect(path)
    connection.execute(f"DROP INDEX {USER_TIME_INDEX}")
    connection.execute(f"CREATE INDEX {USER_TIME_INDEX} ON events (user_key, timestamp, number)")
    connection.execute("PRAGMA user_version=3")
    connection.close()
    with EventStore.open(path) as store:
        assert len(store.history("ann", {}, limit=5)) == 0
    connection = sqlite3.connect(path)
    (sql,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (USER_TIME_INDEX,)).fetchone()
    plan = connection.execute(f"EXPLAIN QUERY PLAN {_LATEST}", ("ann",)).fetchall()
    connection.close()
    assert "item_id" in sql
    assert "COVERING INDEX" in str(plan)
