"""An acknowledged event is on disk, once, and in the next history."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from pydantic import TypeAdapter

from features.core.columns import EVENT_TYPE_CODE
from serving.state.event_log import Event
from serving.state.event_transfer import export_events
from serving.state.protocol import StateStore
from serving.state.store_location import StoreLocation, open_store

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
def store(location: StoreLocation) -> Iterator[StateStore]:
    with open_store(location) as opened:
        yield opened


def test_an_appended_event_is_in_the_next_history(store: StateStore) -> None:
    assert len(store.history("ann", ITEMS, limit=10)) == 0
    store.append_now([event(1), event(2, item="cheese")], received_at=5)
    history = store.history("ann", ITEMS, limit=10)
    assert history.items.tolist() == [0, 2]
    assert history.event_types.tolist() == [EVENT_TYPE_CODE["purchase"]] * 2
    assert history.times.tolist() == [1, 2]
    assert history.prices.tolist() == [1.5, 1.5]
    assert len(set(history.baskets.tolist())) == 2
    assert len(store.history("bob", ITEMS, limit=10)) == 0


def test_a_repeated_event_is_counted_and_not_stored_again(store: StateStore) -> None:
    first = store.append_now([event(1), event(2), event(2)], received_at=5)
    again = store.append_now([event(2), event(3)], received_at=6)
    assert (first.accepted, first.duplicates) == (2, 1)
    assert (again.accepted, again.duplicates) == (1, 1)
    assert store.history("ann", ITEMS, limit=10).times.tolist() == [1, 2, 3]


def test_type_and_item_are_part_of_the_key(store: StateStore) -> None:
    order = [
        Event("17", 0, kind, 1, user_id="ann", item_id=item)
        for kind in ("purchase", "refund")
        for item in ("apple", "bread")
    ]
    search = Event("17", 0, "search", 1, user_id="ann")
    assert store.append_now([*order, search], received_at=5).accepted == 5
    assert store.append_now([*reversed(order), search], received_at=6).duplicates == 5


def test_what_is_stored_is_found_by_its_key(store: StateStore) -> None:
    search = Event("17", 0, "search", 1, user_id="ann")
    store.append_now([event(1), search], received_at=5)
    assert store.without_stored([event(1), event(2), event(2), search]) == [event(2)]


def test_late_events_are_sorted_in_and_only_the_latest_are_kept(
    store: StateStore, location: StoreLocation
) -> None:
    store.append_now([event(n) for n in (10, 20, 30)], received_at=5)
    assert store.history("ann", ITEMS, limit=3).times.tolist() == [10, 20, 30]
    store.append_now([event(25, item="bread"), event(5)], received_at=6)
    warm = store.history("ann", ITEMS, limit=3)
    assert warm.times.tolist() == [20, 25, 30]
    assert warm.items.tolist() == [0, 1, 0]
    with open_store(location) as restarted:
        np.testing.assert_array_equal(restarted.history("ann", ITEMS, limit=3).times, warm.times)


def test_a_transaction_is_a_basket_with_one_time(store: StateStore) -> None:
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


def test_impressions_and_items_that_the_catalogue_lacks_are_left_out(store: StateStore) -> None:
    store.append_now([event(1, item="gone"), event(2), event(3, item=None)], received_at=5)
    store.append_now([Event("seen", 0, "view_item_list", 4, user_id="ann", item_id="apple")], received_at=6)
    assert store.history("ann", ITEMS, limit=10).times.tolist() == [2]
    assert store.history("ann", {"gone": 7}, limit=10).items.tolist() == [7], (
        "another bundle has another catalogue"
    )


def test_events_written_by_another_process_are_seen_at_the_next_call(
    store: StateStore, location: StoreLocation
) -> None:
    assert len(store.history("ann", ITEMS, limit=10)) == 0
    with open_store(location) as other:
        other.append_now([event(1)], received_at=5)
        assert len(store.history("ann", ITEMS, limit=10)) == 1
        store.append_now([event(2)], received_at=6)
        assert len(other.history("ann", ITEMS, limit=10)) == 2


def test_a_warm_history_takes_well_under_a_millisecond(store: StateStore) -> None:
    store.append_now([event(n) for n in range(5000)], received_at=5)
    store.history("ann", ITEMS, limit=5000)
    times = []
    for _ in range(50):
        start = time.perf_counter()
        store.history("ann", ITEMS, limit=5000)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.0005


def test_concurrent_appends_share_transactions_and_all_are_stored(store: StateStore) -> None:
    async def many() -> int:
        results = await asyncio.gather(*(store.append([event(n)], received_at=n) for n in range(300)))
        return sum(result.accepted for result in results)

    assert asyncio.run(many()) == 300
    assert len(store.history("ann", ITEMS, limit=1000)) == 300


def test_the_most_recently_active_users_come_first(store: StateStore) -> None:
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
from pydantic import TypeAdapter
from serving.state.event_log import Event
from serving.state.store_location import StoreLocation, open_store

store = open_store(TypeAdapter(StoreLocation).validate_json(sys.argv[1]))
for number in range(int(sys.argv[3])):
    event_id = f"{sys.argv[2]}{number}"
    event = Event(event_id, 0, "purchase", number, user_id="ann", item_id="apple")
    store.append_now([event], received_at=number)
    print(event_id, flush=True)
"""


def writer(location: StoreLocation, name: str, *, count: int) -> subprocess.Popen[str]:
    """Another process that appends events one by one and prints the id of each after it was acknowledged."""
    where = TypeAdapter(StoreLocation).dump_json(location).decode()
    command = [sys.executable, "-c", WRITER, where, name, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def stored_ids(location: StoreLocation, folder: Path) -> list[str]:
    """In the order of arrival."""
    export_events(location, folder / "exported")
    return pl.read_parquet(folder / "exported" / "events.parquet")["event_id"].to_list()


def test_every_acknowledged_event_survives_kill_9(location: StoreLocation, tmp_path: Path) -> None:
    """Of the process that wrote it."""
    process = writer(location, "k", count=1_000_000)
    assert process.stdout is not None
    acknowledged = {process.stdout.readline().strip() for _ in range(50)}
    process.send_signal(signal.SIGKILL)
    acknowledged |= {line.strip() for line in process.stdout if line.endswith("\n")}
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    assert len(acknowledged) >= 50
    assert acknowledged <= set(stored_ids(location, tmp_path))


def test_two_processes_write_to_one_store(location: StoreLocation, tmp_path: Path) -> None:
    processes = [writer(location, name, count=100) for name in ("a", "b")]
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    stored = stored_ids(location, tmp_path)
    assert sorted(stored) == sorted(f"{name}{number}" for name in ("a", "b") for number in range(100))
