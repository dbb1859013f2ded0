"""Items and users that change are the same for every process, in either store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from redis_server import RedisServer

from serving.state.event_log import Event
from serving.state.protocol import ItemFields, StateStore
from serving.state.redis import log as redis_log
from serving.state.redis import users_of_events
from serving.state.redis.log import RedisLog
from serving.state.store_location import StoreLocation, open_store

ITEMS = {"apple": 0, "bread": 1}


@pytest.fixture
def store(location: StoreLocation) -> Iterator[StateStore]:
    with open_store(location) as opened:
        yield opened


@pytest.fixture
def other(store: StateStore, location: StoreLocation) -> Iterator[StateStore]:
    """That of another process."""
    with open_store(location) as opened:
        yield opened


def bought(name: str, item: str, *, at: int = 1, **who: str) -> Event:
    return Event(name, 0, "purchase", at, item_id=item, **who)  # type: ignore[arg-type]


def times(store: StateStore, key: str) -> list[int]:
    return [int(time) for time in store.history(key, ITEMS, limit=10).times]


def test_earlier_events_of_a_visitor_are_in_a_history_that_others_have_in_memory(
    store: StateStore, other: StateStore
) -> None:
    """They arrived before those that are there."""
    store.append_now([bought("e1", "apple", at=1, visitor_id="v")], received_at=1)
    store.append_now([bought("e2", "bread", at=2, user_id="ann")], received_at=2)
    for one in (store, other):
        assert (times(one, "ann"), times(one, "visitor:v")) == ([2], [1])
    assert asyncio.run(store.users.merge("v", "ann")) == 1
    for one in (store, other):
        assert (times(one, "ann"), times(one, "visitor:v")) == ([1, 2], [])
        assert one.history("ann", ITEMS, limit=1).times.tolist() == [2], "the latest is not the last moved"
        assert [(row.user_id, row.visitor_id) for row in one.latest_events("ann", limit=5)] == [
            ("ann", None),
            ("ann", "v"),
        ]
        assert [(user.user_key, user.num_events) for user in one.recently_active_users(5)] == [("ann", 2)]
    store.append_now([bought("e3", "apple", at=3, user_id="ann")], received_at=3)
    assert times(other, "ann") == [1, 2, 3]
    again = store.append_now([bought("e1", "apple", at=1, visitor_id="v")], received_at=4)
    assert again.duplicates == 1, "the event is the same, whosever it is now"


def test_the_most_recently_active_user_may_be_a_merged_visitor(store: StateStore) -> None:
    def active() -> list[tuple[str, int]]:
        return [(user.user_key, user.latest) for user in store.recently_active_users(5)]

    events = [bought("e1", "apple", at=5, user_id="ann"), bought("e2", "apple", at=7, user_id="bob")]
    store.append_now([*events, bought("e3", "apple", at=9, visitor_id="v")], received_at=1)
    asyncio.run(store.users.merge("v", "ann"))
    assert active() == [("ann", 9), ("bob", 7)]
    store.append_now([bought("late", "apple", at=2, user_id="ann")], received_at=1)
    assert active() == [("ann", 9), ("bob", 7)]


def test_items_are_changed_field_by_field_and_begin_anew_after_a_deletion(
    store: StateStore, other: StateStore
) -> None:
    def change(changes: dict[str, ItemFields | None], now: int) -> None:
        asyncio.run(store.items.change(changes, now=now))

    def state(since: int = 0) -> list[tuple[str, Any, int]]:
        ours, theirs = (one.items.changed(since=since) for one in (store, other))
        assert ours == theirs
        return [(change.item_id, change.fields, change.changed_at) for change in ours]

    change({"a": {"title": "Tea", "price": 0.1}, "b": {"tags": ["x", {"y": None}]}}, now=10)
    change({"a": {"price": None}}, now=20)
    (*_, last) = store.items.changed(since=0)
    assert state() == [("b", {"tags": ["x", {"y": None}]}, 10), ("a", {"title": "Tea", "price": None}, 20)]
    change({"a": None}, now=30)
    assert state(last.number) == [("a", None, 30)]
    change({"a": {"price": 12345678.125}, "c": {}}, now=40)
    assert state(last.number) == [("a", {"price": 12345678.125}, 40), ("c", {}, 40)]


def test_more_changed_items_than_are_read_at_once(store: StateStore) -> None:
    asyncio.run(store.items.change({f"i{n}": {"price": n} for n in range(2_500)}, now=1))
    changed = store.items.changed(since=0)
    assert [change.item_id for change in changed] == [f"i{n}" for n in range(2_500)]
    assert store.items.changed(since=changed[-1].number) == []


def test_events_that_move_to_another_user_during_an_export_are_in_it(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis is read user by user."""
    monkeypatch.setattr(users_of_events, "_SCAN_KEYS", 10)
    monkeypatch.setattr(redis_log, "_SCAN_ROWS", 1)
    location, names = redis_server.location(), [f"{number}" for number in range(40)]
    with open_store(location) as store:
        events = [bought(f"v{name}", "apple", visitor_id=name) for name in names]
        events += [bought(f"u{name}", "apple", user_id=name) for name in names]
        store.append_now(events, received_at=1)
        log = RedisLog(location)
        parts = log.scan()
        found: dict[object, object] = {}
        while len(found) < len(names):
            found |= {row[0]: row[1] for row in next(parts)}
        for name in names:
            asyncio.run(store.users.merge(name, name))
        found |= {row[0]: row[1] for part in parts for row in part}
        log.close()
    assert sorted(map(str, found.values())) == sorted(event.event_id for event in events)
