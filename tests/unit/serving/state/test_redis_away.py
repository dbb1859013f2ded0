"""Redis is killed, or hangs: what was acknowledged is there, nothing waits for ever, and it all goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pytest
from hand_made_bundle import write_bundle
from http_shop import Shop, bought, problem
from redis_server import RedisServer

from configs.exceptions import ServingError, StoreAwayError, StoreBusyError
from serving.recommend.pipeline import Pipeline
from serving.state import group_commit_writer
from serving.state.event_log import Event
from serving.state.event_transfer import export_events
from serving.state.protocol import StateStore
from serving.state.redis import client
from serving.state.redis.location import RedisLocation
from serving.state.store_location import open_store

ITEMS = {"apple": 0}
GIVE_UP_SECONDS = 0.4
BUSY_MACHINE_SECONDS = 10
"""What a machine with other work may add; without a limit of its own a caller would wait forever"""
EVENTS_OF_AN_APPEND = 3


@pytest.fixture(autouse=True)
def give_up_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit_writer, "GIVE_UP_SECONDS", GIVE_UP_SECONDS)
    monkeypatch.setattr("serving.state.redis.writer.WRITE_SECONDS", 0.5)
    monkeypatch.setattr("serving.state.redis.store.PROBE_SECONDS", 0.05)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """One that a test may kill."""
    started = RedisServer(tmp_path / "redis")
    yield started
    started.kill()


@pytest.fixture
def location(server: RedisServer) -> RedisLocation:
    return server.location()


@pytest.fixture
def store(location: RedisLocation) -> Iterator[StateStore]:
    with open_store(location) as opened:
        yield opened


def event(name: str) -> Event:
    return Event(name, 0, "purchase", 1, user_id="ann", item_id="apple")


@dataclass
class Stream:
    """Appends one after the other, until it is told to stop."""

    store: StateStore
    name: str
    stop: threading.Event
    acknowledged: list[str] = field(default_factory=list)
    errors: list[ServingError] = field(default_factory=list)
    longest: float = 0.0

    def run(self) -> None:
        number = 0
        while not self.stop.is_set():
            name, start = f"{self.name}-{number}", time.monotonic()
            events = [event(f"{name}-{line}") for line in range(EVENTS_OF_AN_APPEND)]
            try:
                self.store.append_now(events, received_at=1)
                self.acknowledged.append(name)
            except ServingError as error:
                self.errors.append(error)
            self.longest = max(self.longest, time.monotonic() - start)
            number += 1


def wait_until_it_answers(store: StateStore) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            store.check()
            return
        except StoreAwayError:
            time.sleep(0.02)
    raise AssertionError("it did not come back")


def test_every_acknowledged_event_survives_kill_9_of_the_server_once(
    server: RedisServer, location: RedisLocation, store: StateStore, tmp_path: Path
) -> None:
    """Three times, in the middle of a stream of appends."""
    stop = threading.Event()
    streams = [Stream(store, f"s{number}", stop) for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(stream.run) for stream in streams]
        for _ in range(3):
            time.sleep(0.3)
            server.kill()
            time.sleep(GIVE_UP_SECONDS + 0.3)
            server.restart()
            wait_until_it_answers(store)
        before = [len(stream.acknowledged) for stream in streams]
        time.sleep(0.5)
        stop.set()
        for done in running:
            done.result(timeout=10)
    assert all(len(s.acknowledged) > n for s, n in zip(streams, before, strict=True)), "it goes on by itself"
    assert all(stream.errors for stream in streams), "and meanwhile events are refused"
    assert {type(error) for stream in streams for error in stream.errors} <= {StoreAwayError, StoreBusyError}
    assert max(stream.longest for stream in streams) < GIVE_UP_SECONDS + BUSY_MACHINE_SECONDS
    export_events(location, tmp_path / "out")
    stored = pl.read_parquet(tmp_path / "out" / "events.parquet")["event_id"].to_list()
    assert len(stored) == len(set(stored))
    by_append = pl.Series(stored).str.replace(r"-\d+$", "").value_counts()
    assert set(by_append["count"].to_list()) == {EVENTS_OF_AN_APPEND}, "an append is stored as a whole"
    acknowledged = {name for stream in streams for name in stream.acknowledged}
    assert len(acknowledged) > 20
    assert acknowledged <= set(by_append[by_append.columns[0]].to_list())


def test_what_a_caller_is_told_while_it_is_away(
    server: RedisServer, store: StateStore, tmp_path: Path
) -> None:
    shop = Shop(Pipeline.load(write_bundle(tmp_path / "bundle")), store)
    shop.send(bought("fruit1"))
    server.kill()
    for method, path, body in (
        ("POST", "/v1/events", {"events": [bought("fruit2", event_id="e2")]}),
        ("POST", "/v1/recommend", {"user_id": "ann"}),
        ("PUT", "/v1/items/fruit1", {"price": 3}),
        ("DELETE", "/v1/users/ann", None),
        ("GET", "/readyz", None),
    ):
        start = time.monotonic()
        response = shop.call(method, path, json=body)
        details = problem(response, 503)
        assert time.monotonic() - start < GIVE_UP_SECONDS + BUSY_MACHINE_SECONDS
        if path.startswith("/v1"):
            assert response.headers["retry-after"] == "2"
            assert "does not answer" in details["detail"]
    assert store.write_trouble() == "Redis does not answer"
    server.restart()
    wait_until_it_answers(store)
    assert shop.send(bought("fruit2", event_id="e2"))["rejected"] == []
    shown = shop.recommend(user_id="ann", num_results=2, surface="home")["items"]
    assert {item["item_id"] for item in shown} == {"fruit1", "fruit2"}
    assert shop.call("GET", "/readyz").json()["events"] == "accepted"


def test_a_server_that_hangs_is_given_up_soon(
    server: RedisServer, store: StateStore, caplog: pytest.LogCaptureFixture
) -> None:
    """And is not waited for by every request, nor logged."""
    store.append_now([event("before")], received_at=1)
    assert len(store.history("ann", ITEMS, limit=5)) == 1
    server.pause()
    start = time.monotonic()
    with pytest.raises(StoreAwayError, match="does not answer"):
        store.history("ann", ITEMS, limit=5)
    waited = time.monotonic() - start
    assert waited < client.READ_SECONDS + 0.3
    for _ in range(50):
        with pytest.raises(StoreAwayError):
            store.history("ann", ITEMS, limit=5)
    assert time.monotonic() - start < waited + 0.2
    with pytest.raises(StoreAwayError):
        store.append_now([event("unsure")], received_at=1)
    assert time.monotonic() - start < 3
    server.resume()
    wait_until_it_answers(store)
    store.append_now([event("unsure")], received_at=1)
    assert len(store.history("ann", ITEMS, limit=5)) == 2, "sent twice, it counts once"
    assert 2 <= caplog.text.count("does not answer") <= 3, "of reads, of writes, and why events are refused"
    assert "Redis answers again" in caplog.text
