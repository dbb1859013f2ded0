"""What the server knows of its event log before an event is refused, and who may read the log."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from configs.exceptions import ServingError
from serving.state import store as store_module
from serving.state.database import connect, log_files
from serving.state.event_log import Event
from serving.state.event_transfer import export_events
from serving.state.store import EventStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EventStore]:
    with EventStore.open(tmp_path / "events.db") as opened:
        opened.append_now([Event("before", 0, "view_item", 1, user_id="a", item_id="x")], received_at=1)
        yield opened


def trouble_within(store: EventStore, seconds: float, *, ends: bool) -> str | None:
    """What it says once that has changed."""
    until = time.monotonic() + seconds
    while ((trouble := store.write_trouble()) is None) != ends and time.monotonic() < until:
        time.sleep(0.02)
    return trouble


def test_a_locked_log_is_known_without_any_event(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """And that it is free again."""
    monkeypatch.setattr(store_module, "PROBE_SECONDS", 0.05)
    monkeypatch.setattr("serving.state.group_commit_writer.GIVE_UP_SECONDS", 0.2)
    assert store.write_trouble() is None
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    start = time.monotonic()
    store.write_trouble()
    assert time.monotonic() - start < 0.1, "it does not wait for the lock"
    assert trouble_within(store, 5, ends=False) == "another program holds the event log's lock"
    other.close()
    assert trouble_within(store, 5, ends=True) is None


def test_a_probe_writes_and_changes_nothing(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Often asked, it writes once."""
    wal = store.path.with_name("events.db-wal")
    before = wal.stat().st_size
    for _ in range(10):
        assert store.write_trouble() is None
    store._file.writer.submit([]).result(timeout=5)
    page = store._file._reader.execute("PRAGMA page_size").fetchone()[0]
    grown = wal.stat().st_size - before
    assert grown in (page + 24, 2 * (page + 24)), "the probe and ours, of a page each or together"
    assert len(store.latest_events("a", limit=9)) == 1


def test_a_log_that_was_replaced_is_known(store: EventStore) -> None:
    store.path.rename(store.path.with_name("old.db"))
    assert "is gone" in str(store.write_trouble())
    connect(store.path).close()
    assert "replaced: restart" in str(store.write_trouble())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to everything")
def test_files_without_the_right_to_write_are_refused_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "shop" / "events.db"
    connect(path).close()
    for place, mode in ((path, 0o400), (path.parent, 0o500)):
        kept = place.stat().st_mode
        place.chmod(mode)
        with pytest.raises(ServingError, match=f"{place.name}: is read-only.*--out"):
            EventStore.open(path)
        place.chmod(kept)


def modes(path: Path) -> dict[str, str]:
    return {file.name: f"{file.stat().st_mode & 0o777:o}" for file in log_files(path) if file.exists()}


def test_the_log_is_for_its_owner_alone(store: EventStore) -> None:
    assert modes(store.path) == {"events.db": "600", "events.db-wal": "600", "events.db-shm": "600"}


def test_an_older_log_that_others_can_read_is_narrowed(
    store: EventStore, caplog: pytest.LogCaptureFixture
) -> None:
    """While another connection has it open."""
    for file in log_files(store.path):
        file.chmod(0o644)
    connect(store.path).close()
    assert set(modes(store.path).values()) == {"600"}
    assert [record.getMessage() for record in caplog.records] == [
        f"{file} holds what users did, and others could read it (mode 0644): narrowed to 0600."
        for file in log_files(store.path)
    ]
    store.append_now([Event("after", 0, "view_item", 1, user_id="a", item_id="x")], received_at=1)
    assert len(store.latest_events("a", limit=9)) == 2


def test_an_export_of_events_is_for_its_owner_alone(store: EventStore, tmp_path: Path) -> None:
    out = tmp_path / "exported"
    assert export_events(store.path, out) == 1
    assert f"{out.stat().st_mode & 0o777:o}" == "700"
    assert f"{(out / 'events.parquet').stat().st_mode & 0o777:o}" == "600"
