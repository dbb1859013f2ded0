"""A store in Redis: which servers are refused, what is said of one that cannot take a write, and whose keys
are whose."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from redis_server import DURABLE, RedisServer

from configs.exceptions import ServingError
from serving.state.event_log import Event
from serving.state.redis.client import RedisClient
from serving.state.redis.location import RedisLocation
from serving.state.store_location import check_store, open_store

ITEMS = {"apple": 0}


def event(name: str, *, user: str = "ann", at: int = 1) -> Event:
    return Event(name, 0, "purchase", at, user_id=user, item_id="apple")


@pytest.fixture
def location(redis_server: RedisServer) -> RedisLocation:
    return redis_server.location()


@pytest.fixture
def other_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RedisServer]:
    """With the options of the parameter."""
    server = RedisServer(tmp_path / "redis", *request.param)
    yield server
    server.kill()


@pytest.mark.parametrize(
    ("other_server", "says"),
    [
        (("--appendonly", "no"), "loses every event, item and user since its last snapshot"),
        (("--appendonly", "yes", "--appendfsync", "everysec"), "loses the last second or two"),
        (("--appendonly", "yes", "--appendfsync", "no"), "loses half a minute or more"),
        ((*DURABLE, "--no-appendfsync-on-rewrite", "yes"), "while the append-only file is rewritten"),
    ],
    indirect=["other_server"],
)
def test_a_server_that_can_lose_events_is_refused_unless_that_is_accepted(
    other_server: RedisServer, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    location = other_server.location()
    with pytest.raises(ServingError, match=f"{says}.*: set `.*serving.redis_allow_loss=true"):
        open_store(location)
    assert other_server.command("DBSIZE") == ":0", "nothing was written"
    with open_store(replace(location, allow_loss=True)) as store:
        assert store.append_now([event("e")], received_at=1).accepted == 1
    assert says in caplog.text


@pytest.mark.parametrize("other_server", [(*DURABLE, "--maxmemory-policy", "allkeys-lru")], indirect=True)
def test_a_server_that_deletes_keys_is_refused(other_server: RedisServer) -> None:
    with pytest.raises(ServingError, match=r"allkeys-lru.*set `maxmemory-policy noeviction`"):
        open_store(replace(other_server.location(), allow_loss=True))


@pytest.mark.parametrize("other_server", [(*DURABLE, "--rename-command", "CONFIG", '""')], indirect=True)
def test_a_server_that_does_not_say_is_used_with_a_warning(
    other_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    open_store(other_server.location()).close()
    assert "a power cut loses the last second of events or more" in caplog.text


@pytest.mark.parametrize("other_server", [(*DURABLE, "--requirepass", "secret")], indirect=True)
def test_the_password_comes_from_the_environment(
    other_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ServingError, match="set the environment variable SHOPKEEPER_REDIS_PASSWORD"):
        open_store(other_server.location())
    monkeypatch.setenv("SHOPKEEPER_REDIS_PASSWORD", "secret")
    with open_store(other_server.location()) as store:
        store.check()


def test_a_server_that_is_not_there_is_an_error_that_names_the_setting(location: RedisLocation) -> None:
    with pytest.raises(ServingError, match=r"127\.0\.0\.1:1/0.*does not answer.*serving\.store"):
        check_store(replace(location, url="redis://127.0.0.1:1/0"))


def test_a_store_of_another_version_is_refused(location: RedisLocation) -> None:
    open_store(location).close()
    client = RedisClient(location)
    client.call("SET", client.key("schema"), "9")
    with pytest.raises(ServingError, match=r"schema 9, expected 1\): choose another serving.redis_prefix"):
        open_store(location)
    client.close()


def test_a_store_that_was_emptied_is_noticed(location: RedisLocation, redis_server: RedisServer) -> None:
    with open_store(location) as store:
        store.check()
        redis_server.empty()
        with pytest.raises(ServingError, match="was emptied"):
            store.check()


def test_shops_with_prefixes_of_their_own_share_a_server(redis_server: RedisServer) -> None:
    one, other = redis_server.location(), redis_server.location()
    with open_store(one) as ours, open_store(other) as theirs:
        ours.append_now([event("e")], received_at=1)
        assert theirs.without_stored([event("e")]) == [event("e")]
        assert len(theirs.history("ann", ITEMS, limit=5)) == 0
        asyncio.run(theirs.users.forget("ann", reason="deleted", now=1))
        assert len(ours.history("ann", ITEMS, limit=5)) == 1
        assert ours.users.suppression("ann") is None


def test_a_server_whose_memory_is_full_refuses_events_and_says_so(
    location: RedisLocation, redis_server: RedisServer
) -> None:
    with open_store(location) as store:
        store.append_now([event("before")], received_at=1)
        redis_server.command("CONFIG", "SET", "maxmemory", "1")
        try:
            with pytest.raises(ServingError, match="its memory is full: raise `maxmemory`"):
                store.append_now([event("lost")], received_at=1)
            assert "does not store" in str(store.write_trouble())
            assert len(store.history("ann", ITEMS, limit=5)) == 1, "lists go on"
        finally:
            redis_server.command("CONFIG", "SET", "maxmemory", "0")
        assert store.append_now([event("lost")], received_at=1).accepted == 1
        assert store.write_trouble() is None


def test_a_user_with_any_number_of_events_is_read_by_parts(location: RedisLocation) -> None:
    """Ids and rows go through Lua's stack, which holds some thousand."""
    names = [f"e{number}" for number in range(9_500)]
    with open_store(location) as store:
        visitor = [Event(name, 0, "purchase", 1, visitor_id="v", item_id="apple") for name in names[:4_500]]
        store.append_now(visitor, received_at=1)
        assert len(store.history("ann", ITEMS, limit=9_000)) == 0
        store.append_now([event(name) for name in names[4_500:]], received_at=1)
        assert len(store.history("ann", ITEMS, limit=9_000)) == 5_000
        assert asyncio.run(store.users.merge("v", "ann")) == 4_500
        assert len(store.history("ann", ITEMS, limit=9_000)) == 9_000
        assert [row.event_id for row in store.latest_events("ann", limit=9_500)] == names[::-1]
        asyncio.run(store.users.forget("ann", reason="deleted", now=2))
        assert store.num_events("ann") == 0
        assert store.append_now([event(name) for name in names], received_at=1).duplicates == 0


def test_nothing_of_a_forgotten_user_is_left_in_a_key_or_a_value(location: RedisLocation) -> None:
    client = RedisClient(location)
    with open_store(location) as store:
        everything = keys(client)
        store.append_now([event("e1", user="secret"), event("e2", user="secret")], received_at=1)
        store.append_now([Event("e3", 0, "search", 1, visitor_id="v-secret")], received_at=1)
        asyncio.run(store.users.merge("v-secret", "secret"))
        asyncio.run(store.users.put_attributes("secret", {"a": 1}))
        assert any(b"secret" in name for name in keys(client))
        asyncio.run(store.users.forget("secret", reason="deleted", now=1))
    left = keys(client) - everything
    prefix = location.prefix.encode()
    names = (b"number", b"change_number", b"user_changes", b"suppressed", b"erased", b"rewritten")
    assert left == {prefix + b":" + name for name in names}
    (change,) = client.call("ZRANGE", client.key("user_changes"), 0, -1)
    assert len(change) == 6, "a number, and nobody's name"
    client.close()


def test_a_missing_library_is_named_with_its_extra(
    location: RedisLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("serving.state.redis")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ServingError, match=r"pip install 'shopkeeper\[redis\]'"):
        open_store(location)


def keys(client: RedisClient) -> set[bytes]:
    return set(client.call("KEYS", client.key("*")))
