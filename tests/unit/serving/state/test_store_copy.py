"""All of a store goes to another one and back, and is the same."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from redis_server import RedisServer

from configs.exceptions import ServingError
from serving.state import store_copy
from serving.state.event_log import Event
from serving.state.event_transfer import export_events
from serving.state.event_trimming import trim_events
from serving.state.protocol import StateStore
from serving.state.redis.location import RedisLocation
from serving.state.store_copy import copy_store, require_whole
from serving.state.store_location import StoreLocation, open_store

ITEMS = {"apple": 0, "bread": 1}


@pytest.fixture
def redis(redis_server: RedisServer) -> RedisLocation:
    redis_server.empty()
    return redis_server.location()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A store with all that one can have."""
    path = tmp_path / "events.db"
    with open_store(path) as store:
        fill(store)
    export_events(path, tmp_path / "archive")
    trim_events(path, before=3)
    return path


def fill(store: StateStore) -> None:
    full = Event(
        "full", 1, "purchase", 70, "ann", "v1", "s", "apple", 2, 1.5, "EUR", "t1", "code", "home", 3, "r",
        "words",
        4.5, "good", 1.25, "web", "phone", "DE", "mail", "cpc", "spring", '{"b":[1,2.5],"a":"é"}',
    )  # fmt: skip
    late = [Event(f"l{at}", 0, "view_item", at, user_id="ann", item_id="bread") for at in (60, 5, 2, 65)]
    store.append_now([full, *late], received_at=100)
    visits = [Event(f"v{at}", 0, "purchase", at, visitor_id="v2", item_id="apple") for at in (50, 68)]
    store.append_now(
        [*visits, Event("s", 0, "search", 9, visitor_id="v3", search_term="tea")], received_at=101
    )
    gone = [Event("g", 0, "purchase", 10, user_id=user, item_id="apple") for user in ("gone",)]
    store.append_now(gone, received_at=102)
    asyncio.run(change(store))
    store.append_now([Event("last", 0, "purchase", 80, user_id="bob", item_id="apple")], received_at=103)


async def change(store: StateStore) -> None:
    await store.users.merge("v2", "ann")
    await store.users.put_attributes("ann", {"tier": "gold", "age": 30, "tags": ["a", None]})
    await store.users.forget("gone", reason="deleted", now=110)
    await store.users.forget("refuses", reason="no_consent", now=111)
    await store.items.change({"tea": {"title": "Tea", "price": 3}, "jam": {"price": 2.5}}, now=120)
    await store.items.change({"jam": None, "tea": {"price": None, "tags": ["x"]}}, now=121)


def told(location: StoreLocation) -> dict[str, Any]:
    """What a server says of it."""
    with open_store(location) as store:
        return {
            "histories": {
                user: [array.tolist() for array in (history.items, history.times, history.baskets)]
                for user in ("ann", "bob", "visitor:v2", "gone")
                for history in [store.history(user, ITEMS, limit=10)]
            },
            "events": store.latest_events("ann", limit=20),
            "active": store.recently_active_users(9),
            "attributes": store.users.attributes("ann"),
            "suppressed": [store.users.suppression(user) for user in ("gone", "refuses", "ann")],
            "items": store.items.changed(since=0),
        }


def rows(path: Path) -> dict[str, list[Any]]:
    """All of a file but when its tables were imported."""
    tables = ("events", "items", "users", "suppressed", "marks", "sqlite_sequence")
    with closing(sqlite3.connect(path)) as connection:
        found = {name: sorted(connection.execute(f"SELECT * FROM {name}"), key=str) for name in tables}
    found["sqlite_sequence"] = [row for row in found["sqlite_sequence"] if row[0] == "events"]
    return found


def test_there_and_back_is_the_same(source: Path, redis: RedisLocation, tmp_path: Path) -> None:
    result = copy_store(source, redis)
    assert result.counts == {
        "events": 8, "items": 2, "users": 1, "suppressed": 2, "imports": 0, "marks": 2
    }  # fmt: skip
    assert told(redis) == told(source)
    assert copy_store(redis, tmp_path / "back.db").counts == result.counts
    assert rows(tmp_path / "back.db") == rows(source)
    assert told(tmp_path / "back.db") == told(source)


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_what_comes_afterwards_counts_as_new(
    kind: str, source: Path, redis: RedisLocation, tmp_path: Path
) -> None:
    target: StoreLocation = redis if kind == "redis" else tmp_path / "other.db"
    copy_store(source, target)
    with open_store(target) as store:
        again = Event("last", 0, "purchase", 80, user_id="bob", item_id="apple")
        result = store.append_now(
            [again, Event("n", 0, "purchase", 1, "bob", item_id="bread")], received_at=1
        )
        assert (result.accepted, result.duplicates) == (1, 1)
        assert store.history("bob", ITEMS, limit=9).times.tolist() == [1, 80]
        asyncio.run(store.items.change({"new": {"title": "New"}}, now=200))
        assert [one.item_id for one in store.items.changed(since=4)] == ["new"]


def test_a_second_copy_changes_nothing(source: Path, redis: RedisLocation) -> None:
    first = copy_store(source, redis)
    again = copy_store(source, redis)
    assert (first.was_there, again.was_there) == (False, True)
    assert again.counts == first.counts


class CutOffError(Exception):
    """Stands for a kill."""


@pytest.mark.parametrize("parts", [1, 3, 4])
def test_a_copy_that_was_cut_off_is_finished(
    parts: int, source: Path, redis: RedisLocation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    back = tmp_path / "back.db"
    for one, other in ((source, redis), (redis, back)):
        with monkeypatch.context() as patch, suppress(CutOffError):
            extended, calls = store_copy._extended, iter(range(99))

            def cut_off(*arguments: Any, calls: Iterator[int] = calls) -> Any:
                if next(calls) == parts:
                    raise CutOffError
                return extended(*arguments)  # noqa: B023

            patch.setattr(store_copy, "_extended", cut_off)
            copy_store(one, other)
        with pytest.raises(ServingError, match="cut off"):
            require_whole(other)
        with pytest.raises(ServingError, match="cut off: finish"):
            copy_store(other, tmp_path / "third.db")
        assert not copy_store(one, other).was_there
        require_whole(other)
    assert rows(back) == rows(source)


def test_another_store_is_kept_unless_it_is_to_be_replaced(source: Path, redis: RedisLocation) -> None:
    with open_store(redis) as store:
        store.append_now([Event("x", 0, "purchase", 1, user_id="eve", item_id="apple")], received_at=1)
        asyncio.run(store.users.forget("someone", reason="deleted", now=1))
    with pytest.raises(ServingError, match=r"has other events.*--replace"):
        copy_store(source, redis)
    with open_store(redis) as store:
        assert store.num_events("eve") == 1
    copy_store(source, redis, replace=True)
    assert told(redis) == told(source)
    with open_store(redis) as store:
        assert (store.num_events("eve"), store.users.suppression("someone")) == (0, None)
        store.append_now([Event("y", 0, "purchase", 90, user_id="ann", item_id="apple")], received_at=1)
    with pytest.raises(ServingError, match="--replace"):
        copy_store(redis, source)
    copy_store(redis, source, replace=True)
    assert told(redis) == told(source)


def test_a_target_that_is_written_meanwhile_is_an_error(source: Path, redis: RedisLocation) -> None:
    def write(*_: int) -> None:
        with open_store(redis) as store:
            store.append_now([Event("x", 0, "purchase", 1, user_id="eve", item_id="apple")], received_at=1)

    differs = r"differs from .* in events \(8 copied, 9 there\).*Stop every server"
    with pytest.raises(ServingError, match=differs):
        copy_store(source, redis, progress=write)


def test_what_cannot_be_copied_is_an_error(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ServingError, match="nothing to copy"):
        copy_store(tmp_path / "none.db", tmp_path / "other.db")
    with pytest.raises(ServingError, match="name another one"):
        copy_store(source, source)
