"""Another program holds the lock of the event log: events are refused soon, and lists go on."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from hand_made_bundle import write_bundle

from configs.exceptions import StoreBusyError
from configs.settings.services import ServingConfig
from serving.http.app import build_app
from serving.http.service import Service
from serving.recommend.pipeline import Pipeline
from serving.state import group_commit_writer
from serving.state.database import MAX_WAL_BYTES
from serving.state.event_log import Event, insert_statement, log_row
from serving.state.sqlite_writer import SqliteWriter
from serving.state.statements import Statement
from serving.state.store import EventStore

ITEMS = {"apple": 0}
GIVE_UP_SECONDS = 0.3


@pytest.fixture(autouse=True)
def give_up_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit_writer, "GIVE_UP_SECONDS", GIVE_UP_SECONDS)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EventStore]:
    with EventStore.open(tmp_path / "events.db") as opened:
        opened.append_now([event("before")], received_at=1)
        yield opened


@contextmanager
def locked_by_another(path: Path) -> Iterator[None]:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def event(name: str, *, user: str = "ann") -> Event:
    return Event(name, 0, "purchase", 1, user_id=user, item_id="apple")


def rows_of(name: str) -> list[Statement]:
    return [(insert_statement(), log_row(event(name), received_at=1))]


def stored(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    try:
        return [row[0] for row in connection.execute("SELECT event_id FROM events ORDER BY number")]
    finally:
        connection.close()


def test_a_write_gives_up_and_nothing_of_it_is_stored(store: EventStore) -> None:
    with locked_by_another(store.path):
        start = time.monotonic()
        with pytest.raises(StoreBusyError, match="another program holds"):
            store.append_now([event("lost"), event("too")], received_at=2)
        assert time.monotonic() - start < GIVE_UP_SECONDS + 1
    store.append_now([event("after")], received_at=3)
    assert stored(store.path) == ["before", "after"]


def test_a_lock_that_ends_in_time_costs_nothing(store: EventStore) -> None:
    with locked_by_another(store.path):
        waiting = store._file.writer.submit(rows_of("waits"))
        time.sleep(0.1)
    assert waiting.result(timeout=5) == 1


def test_reads_do_not_wait_for_a_writer(store: EventStore) -> None:
    with locked_by_another(store.path):
        start = time.monotonic()
        assert len(store.history("ann", ITEMS, limit=5)) == 1
        assert store.without_stored([event("before")]) == []
        assert [user.user_key for user in store.recently_active_users(3)] == ["ann"]
        store.check()
        with EventStore.open(store.path) as started_now:
            assert len(started_now.history("ann", ITEMS, limit=5)) == 1
        assert time.monotonic() - start < 1


def test_a_full_queue_refuses_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And everything that it took is stored once the lock is free."""
    monkeypatch.setattr(group_commit_writer, "MAX_WAITING", 3)
    monkeypatch.setattr(group_commit_writer, "MAX_GROUP", 1)
    monkeypatch.setattr(group_commit_writer, "GIVE_UP_SECONDS", 30)
    path = tmp_path / "events.db"
    writer = SqliteWriter(path)
    taken: dict[str, Future[int]] = {}

    def fill_up() -> None:
        for number in range(9):
            taken[str(number)] = writer.submit(rows_of(str(number)))

    with locked_by_another(path):
        start = time.monotonic()
        with pytest.raises(StoreBusyError, match="3 writes wait"):
            fill_up()
        assert time.monotonic() - start < 1
        assert 3 <= len(taken) <= 4, "one may be with the writer"
    for done in taken.values():
        assert done.result(timeout=5) == 1
    writer.close()
    assert stored(path) == list(taken)


def test_a_store_closes_while_another_program_holds_the_lock(store: EventStore) -> None:
    with locked_by_another(store.path):
        waiting = store._file.writer.submit(rows_of("lost"))
        store._file.writer.close()
        with pytest.raises(StoreBusyError):
            waiting.result(timeout=0)
    store._file.writer = SqliteWriter(store.path)
    assert stored(store.path) == ["before"]


def test_lists_go_on_while_events_wait(store: EventStore, tmp_path: Path) -> None:
    """80 event posts, none of which can be stored, and 40 lists beside them."""
    service = Service(Pipeline.load(write_bundle(tmp_path / "bundle")), store, max_events_kept=100)
    app = build_app(service, ServingConfig())

    async def post_both() -> tuple[list[httpx.Response], list[httpx.Response], float]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client:
            events = [
                client.post(
                    "/v1/events",
                    json={
                        "events": [{"event_type": "purchase", "user_id": "ann", "item_id": f"fruit{n % 9}"}]
                    },
                )
                for n in range(80)
            ]
            refused = asyncio.gather(*events)
            await asyncio.sleep(0.05)
            start = time.monotonic()
            lists = [await client.post("/v1/recommend", json={"user_id": "ann"}) for _ in range(40)]
            seconds = time.monotonic() - start
            return await refused, lists, seconds

    with locked_by_another(store.path):
        refused, lists, seconds = asyncio.run(post_both())
    assert {answer.status_code for answer in lists} == {200}
    assert seconds < 5
    assert {answer.status_code for answer in refused} == {503}
    assert all(int(answer.headers["retry-after"]) > 0 for answer in refused)
    assert any("Nothing of this request was stored" in answer.json()["detail"] for answer in refused)
    assert stored(store.path) == ["before"]


def test_the_log_has_one_line_for_many_refusals(store: EventStore, caplog: pytest.LogCaptureFixture) -> None:
    with locked_by_another(store.path):
        waiting = [store._file.writer.submit(rows_of(str(number))) for number in range(20)]
        for done in waiting:
            with pytest.raises(StoreBusyError):
                done.result(timeout=5)
    store.append_now([event("after")], received_at=3)
    lines = [record.getMessage() for record in caplog.records]
    assert [line for line in lines if "events are refused" in line] == lines[:1]
    assert "stored again" in lines[-1]
    assert len(lines) == 2


def test_the_write_ahead_log_shrinks_after_a_reader_that_held_a_snapshot(
    store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store._file.writer._connection.execute("PRAGMA journal_size_limit").fetchone() == (MAX_WAL_BYTES,)
    store._file.writer._connection.execute("PRAGMA journal_size_limit=1000000")
    wal = store.path.with_name("events.db-wal")
    reader = sqlite3.connect(store.path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM events").fetchone()
    for number in range(6):
        large = Event(f"l{number}", 0, "review", 1, user_id="a", item_id="x", review_text="x" * 1_000_000)
        store.append_now([large], received_at=2)
    grown = wal.stat().st_size
    reader.close()
    for number in range(6):  # the first checkpoints all of it, the next starts the file anew
        store.append_now([event(f"after{number}")], received_at=3)
    assert wal.stat().st_size <= 1_000_000 < grown
