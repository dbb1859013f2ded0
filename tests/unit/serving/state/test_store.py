"""An acknowledged event is on disk, once, and in the next history."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from configs.exceptions import ServingError
from features.core.columns import EVENT_TYPE_CODE
from serving.state.event_log import EVENT_KEY_INDEX, OTHER_EVENTS_INDEX, USER_TIME_INDEX, Event
from serving.state.store import _HAS_KEY, EventStore
from serving.state.user_history_cache import _LATEST

ITEMS = {"apple": 0, "bread": 1, "cheese": 2}


def event(
    number: int,
    *,
    item: str | None = "apple",
    user: str = "ann",
    at: int | None = None,
    basket: str | None = None,
) -> Event:
    """A purchase of `item`, or with `item=None` a page view."""
    event_type = "purchase" if item else "page_view"
    at = number if at is None else at
    return Event(
        f"e{number}", 0, event_type, at, user_id=user, item_id=item, transaction_id=basket or None, price=1.5
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EventStore]:
    with EventStore.open(tmp_path / "events.db") as opened:
        yield opened


def test_an_appended_event_is_in_the_next_history(store: EventStore) -> None:
    assert len(store.history("ann", ITEMS, limit=10)) == 0
    store.append_now([event(1), event(2, item="cheese")], received_at=5)
    history = store.history("ann", ITEMS, limit=10)
    assert history.items.tolist() == [0, 2]
    assert history.event_types.tolist() == [EVENT_TYPE_CODE["purchase"]] * 2
    assert history.times.tolist() == [1, 2]
    assert history.prices.tolist() == [1.5, 1.5]
    assert len(set(history.baskets.tolist())) == 2
    assert len(store.history("bob", ITEMS, limit=10)) == 0


def test_a_repeated_event_is_counted_and_not_stored_again(store: EventStore) -> None:
    first = store.append_now([event(1), event(2), event(2)], received_at=5)
    again = store.append_now([event(2), event(3)], received_at=6)
    assert (first.accepted, first.duplicates) == (2, 1)
    assert (again.accepted, again.duplicates) == (1, 1)
    assert store.history("ann", ITEMS, limit=10).times.tolist() == [1, 2, 3]


def test_type_and_item_are_part_of_the_key(store: EventStore) -> None:
    order = [
        Event("17", 0, kind, 1, user_id="ann", item_id=item)
        for kind in ("purchase", "refund")
        for item in ("apple", "bread")
    ]
    search = Event("17", 0, "search", 1, user_id="ann")
    assert store.append_now([*order, search], received_at=5).accepted == 5
    assert store.append_now([*reversed(order), search], received_at=6).duplicates == 5


def test_what_is_stored_is_found_by_its_key(store: EventStore) -> None:
    """By the index: a look at every event would take a request's time."""
    search = Event("17", 0, "search", 1, user_id="ann")
    store.append_now([event(1), search], received_at=5)
    assert store.without_stored([event(1), event(2), event(2), search]) == [event(2)]
    with sqlite3.connect(store.path) as connection:
        (plan,) = connection.execute(f"EXPLAIN QUERY PLAN {_HAS_KEY}", ("e", "search", "", 0)).fetchall()
    connection.close()
    assert f"INDEX {EVENT_KEY_INDEX} (event_id=? AND event_type=? AND <expr>=? AND line=?)" in plan[3]


def test_late_events_are_sorted_in_and_only_the_latest_are_kept(store: EventStore) -> None:
    store.append_now([event(n) for n in (10, 20, 30)], received_at=5)
    assert store.history("ann", ITEMS, limit=3).times.tolist() == [10, 20, 30]
    store.append_now([event(25, item="bread"), event(5)], received_at=6)
    warm = store.history("ann", ITEMS, limit=3)
    assert warm.times.tolist() == [20, 25, 30]
    assert warm.items.tolist() == [0, 1, 0]
    with EventStore.open(store.path) as restarted:
        np.testing.assert_array_equal(restarted.history("ann", ITEMS, limit=3).times, warm.times)


def test_a_transaction_is_a_basket_with_one_time(store: EventStore) -> None:
    store.append_now(
        [event(1, at=100, basket="t"), event(2, at=110), event(3, at=120, item="bread", basket="t")],
        received_at=5,
    )
    history = store.history("ann", ITEMS, limit=10)
    assert history.times.tolist() == [100, 100, 110]
    assert history.items.tolist() == [0, 1, 0]
    assert history.baskets[0] == history.baskets[1] != history.baskets[2]
    store.append_now(
        [Event("r", 0, "refund", 200, user_id="ann", item_id="bread", transaction_id="t")], received_at=6
    )
    assert store.history("ann", ITEMS, limit=10).times.tolist() == [100, 100, 110, 200], (
        "a refund keeps its own time"
    )


def test_impressions_and_items_that_the_catalogue_lacks_are_left_out(store: EventStore) -> None:
    store.append_now([event(1, item="gone"), event(2), event(3, item=None)], received_at=5)
    store.append_now([Event("seen", 0, "view_item_list", 4, user_id="ann", item_id="apple")], received_at=6)
    assert store.history("ann", ITEMS, limit=10).times.tolist() == [2]
    assert store.history("ann", {"gone": 7}, limit=10).items.tolist() == [7], (
        "another bundle has another catalogue"
    )


def test_events_written_by_another_process_are_seen_at_the_next_call(store: EventStore) -> None:
    assert len(store.history("ann", ITEMS, limit=10)) == 0
    with EventStore.open(store.path) as other:
        other.append_now([event(1)], received_at=5)
        assert len(store.history("ann", ITEMS, limit=10)) == 1
        store.append_now([event(2)], received_at=6)
        assert len(other.history("ann", ITEMS, limit=10)) == 2


def test_a_warm_history_takes_well_under_a_millisecond(store: EventStore) -> None:
    store.append_now([event(n) for n in range(5000)], received_at=5)
    store.history("ann", ITEMS, limit=5000)
    times = []
    for _ in range(50):
        start = time.perf_counter()
        store.history("ann", ITEMS, limit=5000)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.0005


def test_concurrent_appends_share_transactions_and_all_are_stored(store: EventStore) -> None:
    async def many() -> int:
        results = await asyncio.gather(*(store.append([event(n)], received_at=n) for n in range(300)))
        return sum(result.accepted for result in results)

    assert asyncio.run(many()) == 300
    assert len(store.history("ann", ITEMS, limit=1000)) == 300


def test_the_most_recently_active_users_come_first(store: EventStore) -> None:
    events = [
        event(1),
        event(9, user="bob"),
        event(5, user="eve"),
        event(6, user="eve"),
        event(50, user="ann", item=None),
    ]
    store.append_now(events, received_at=5)
    users = store.recently_active_users(2)
    assert [(user.user_key, user.num_events, user.latest) for user in users] == [
        ("bob", 1, 9),
        ("eve", 2, 6),
    ]
    assert [latest.timestamp for latest in store.latest_events("eve", limit=5)] == [6, 5]


WRITER = """
import sys
from pathlib import Path
from serving.state.event_log import EVENT_KEY_INDEX, USER_TIME_INDEX, Event
from serving.state.store import _HAS_KEY, EventStore
from serving.state.user_history_cache import _LATEST

store = EventStore.open(Path(sys.argv[1]))
for number in range(int(sys.argv[3])):
    event_id = f"{sys.argv[2]}{number}"
    event = Event(event_id, 0, "purchase", number, user_id="ann", item_id="apple")
    store.append_now([event], received_at=number)
    print(event_id, flush=True)
"""


def writer(path: Path, name: str, *, count: int) -> subprocess.Popen[str]:
    """Another process that appends events one by one and prints the id of each after it was acknowledged."""
    command = [sys.executable, "-c", WRITER, str(path), name, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def stored_ids(path: Path) -> set[str]:
    connection = sqlite3.connect(path)
    try:
        return {row[0] for row in connection.execute("SELECT event_id FROM events")}
    finally:
        connection.close()


def test_every_acknowledged_event_survives_kill_9(tmp_path: Path) -> None:
    process = writer(tmp_path / "events.db", "k", count=1_000_000)
    assert process.stdout is not None
    acknowledged = {process.stdout.readline().strip() for _ in range(50)}
    process.send_signal(signal.SIGKILL)
    acknowledged |= {line.strip() for line in process.stdout if line.endswith("\n")}
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    assert len(acknowledged) >= 50
    assert acknowledged <= stored_ids(tmp_path / "events.db")


def test_two_processes_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    processes = [writer(path, name, count=100) for name in ("a", "b")]
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert len(stored_ids(path)) == 200


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
    with pytest.raises(ServingError, match=r"schema 1, expected 5\): move it away.*events import"):
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
