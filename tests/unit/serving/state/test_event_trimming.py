"""Old events leave either store: those that an export has, a few at a time, and lists go on."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hand_made_bundle import write_bundle
from http_shop import Shop, bought

from configs.exceptions import ServingError
from features.core.artefact import write_manifest, writing
from serving.recommend.pipeline import Pipeline
from serving.state import sqlite_trimming
from serving.state.event_log import Event
from serving.state.event_transfer import export_events, import_events
from serving.state.event_trimming import TrimResult, time_before, trim_daily, trim_events
from serving.state.protocol import StateStore
from serving.state.redis import trimming as redis_trimming
from serving.state.store_location import StoreLocation, open_log, open_store

ITEMS = {"apple": 0, "bread": 1}


@pytest.fixture
def store(location: StoreLocation) -> Iterator[StateStore]:
    with open_store(location) as opened:
        yield opened


def event(at: int, *, user: str = "ann", item: str | None = "apple") -> Event:
    """A purchase of `item`, or with `item=None` a page view."""
    kind = "purchase" if item else "page_view"
    return Event(f"e{user}{at}{kind}", 0, kind, at, user_id=user, item_id=item)


def times(store: StateStore, user: str) -> list[int]:
    return [int(time) for time in store.history(user, ITEMS, limit=10).times]


def kept(location: StoreLocation) -> list[tuple[str, int]]:
    """Users and times of all events in the log, in the order of arrival."""
    with closing(open_log(location)) as log:
        rows = sorted(row for part in log.scan() for row in part)
    return [(str(row[5]), int(str(row[4]))) for row in rows]


def test_old_events_leave_and_every_process_knows(
    location: StoreLocation, store: StateStore, tmp_path: Path
) -> None:
    arrived_late = event(4)
    store.append_now(
        [event(20), event(10), arrived_late, event(3, item=None), event(30, item=None)], received_at=1
    )
    store.append_now([event(9, user="bob"), event(5, user="bob"), event(8, user="cid")], received_at=2)
    with open_store(location) as other:
        for one in (store, other):
            assert (times(one, "ann"), times(one, "bob")) == ([4, 10, 20], [5, 9])
        export_events(location, tmp_path / "out")
        assert trim_events(location, before=9) == TrimResult(trimmed=4, not_exported=0)
        for one in (store, other):
            assert (times(one, "ann"), times(one, "bob"), times(one, "cid")) == ([10, 20], [9], [])
            assert [row.timestamp for row in one.latest_events("ann", limit=9)] == [20, 10]
            assert [(who.user_key, who.num_events, who.latest) for who in one.recently_active_users(9)] == [
                ("ann", 2, 20),
                ("bob", 1, 9),
            ]
        store.append_now([event(40)], received_at=3)
        assert times(other, "ann") == [10, 20, 40]
    assert kept(location) == [("ann", 20), ("ann", 10), ("ann", 30), ("bob", 9), ("ann", 40)]
    assert trim_events(location, before=9) == TrimResult(0, 0), "nothing is left to do"


def test_a_retry_of_a_trimmed_event_is_stored_and_goes_with_the_next_trim(
    location: StoreLocation, store: StateStore
) -> None:
    store.append_now([event(1), event(9)], received_at=1)
    trim_events(location, before=5, force=True)
    again = store.append_now([event(1), event(9)], received_at=2)
    assert (again.accepted, again.duplicates) == (1, 1)
    assert times(store, "ann") == [1, 9]
    assert trim_events(location, before=5, force=True).trimmed == 1
    assert times(store, "ann") == [9]


def test_what_no_export_has_is_kept_unless_forced(
    location: StoreLocation, store: StateStore, tmp_path: Path
) -> None:
    store.append_now([event(1), event(2)], received_at=1)
    assert trim_events(location, before=5) == TrimResult(trimmed=0, not_exported=2)
    export_events(location, tmp_path / "out")
    store.append_now([event(3), event(9)], received_at=2)
    expected = TrimResult(trimmed=2, not_exported=1)
    assert trim_events(location, before=5, dry_run=True) == expected
    assert times(store, "ann") == [1, 2, 3, 9], "it was only counted"
    assert trim_events(location, before=5) == expected
    assert times(store, "ann") == [3, 9]
    assert trim_events(location, before=5, force=True, dry_run=True) == TrimResult(1, 0)
    assert trim_events(location, before=5, force=True) == TrimResult(1, 0)
    assert times(store, "ann") == [9]


def test_events_of_a_merged_visitor_are_trimmed_with_their_user(
    location: StoreLocation, store: StateStore, tmp_path: Path
) -> None:
    store.append_now(
        [Event("v1", 0, "purchase", 1, visitor_id="v", item_id="apple"), event(9)], received_at=1
    )
    asyncio.run(store.users.merge("v", "ann"))
    export_events(location, tmp_path / "out")
    assert times(store, "ann") == [1, 9]
    assert trim_events(location, before=5).trimmed == 1
    assert times(store, "ann") == [9]


KILLED = """
import sys
from serving.state import sqlite_trimming
from serving.state.redis import trimming
from serving.state.event_trimming import trim_events
from serving.state.redis.location import RedisLocation
from pathlib import Path
sqlite_trimming.DELETE_ROWS = sqlite_trimming.LOOK_NUMBERS = trimming.DELETE_EVENTS = 3
location = eval(sys.argv[1])
trim_events(location, before=100, progress=lambda *done: print(done, flush=True), rest=20.0)
"""


def test_a_trim_that_is_killed_is_finished_by_the_next_one(
    location: StoreLocation, store: StateStore, tmp_path: Path
) -> None:
    users = ("ann", "bob")
    store.append_now([event(at, user=user) for at in range(0, 200, 2) for user in users], received_at=1)
    export_events(location, tmp_path / "out")
    where = f"Path({str(location)!r})" if isinstance(location, Path) else repr(location)
    killed = subprocess.Popen([sys.executable, "-c", KILLED, where], stdout=subprocess.PIPE, text=True)
    assert killed.stdout is not None
    with killed:
        for _ in range(5):
            assert killed.stdout.readline()
        killed.send_signal(signal.SIGKILL)
    left = len(kept(location))
    assert 100 < left < 200, "it was killed in the middle"
    assert {user: len(store.latest_events(user, limit=999)) for user in users} == {
        user: sum(who == user for who, _ in kept(location)) for user in users
    }
    assert trim_events(location, before=100).trimmed == left - 100
    assert kept(location) == [(user, at) for at in range(100, 200, 2) for user in users]


def test_a_live_server_stores_events_meanwhile(
    location: StoreLocation, store: StateStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_trimming, "DELETE_ROWS", 20)
    monkeypatch.setattr(redis_trimming, "DELETE_EVENTS", 20)
    store.append_now([event(at, user=f"u{at % 7}") for at in range(1000)], received_at=1)
    export_events(location, tmp_path / "out")
    trimming = threading.Thread(target=trim_events, args=(location,), kwargs={"before": 1000})
    trimming.start()
    sent = 0
    while trimming.is_alive() or sent < 10:
        assert store.append_now([event(2000 + sent, user="u1")], received_at=2).accepted == 1
        assert times(store, "u1")[-1] == 2000 + sent
        sent += 1
    trimming.join()
    assert kept(location) == [("u1", 2000 + number) for number in range(sent)]


def test_tables_do_not_bring_back_what_was_trimmed(
    location: StoreLocation, store: StateStore, tmp_path: Path
) -> None:
    """A night's tables are made of the log as it was before, and are imported at the next start."""
    store.append_now([event(1), event(9)], received_at=1)
    export_events(location, tmp_path / "out")
    rows = pl.read_parquet(tmp_path / "out" / "events.parquet")
    with writing(tmp_path / "tables", kind="tables") as scratch:
        rows.write_parquet(scratch / "events.parquet")
        write_manifest(scratch, kind="tables", made_from="test", contents={"events": 2})
    trim_events(location, before=5)
    result = import_events(tmp_path / "tables", location)
    assert (result.imported, result.duplicates, result.trimmed) == (0, 1, 1)
    assert times(store, "ann") == [9]
    assert import_events(tmp_path / "tables", location).already_imported
    assert import_events(tmp_path / "tables", location, also_trimmed=True).imported == 1
    assert times(store, "ann") == [1, 9]


def test_a_user_without_events_any_more_gets_a_list(
    location: StoreLocation, store: StateStore, tmp_path: Path
) -> None:
    shop = Shop(Pipeline.load(write_bundle(tmp_path / "bundle")), store)
    shop.send(bought("bread1", event_id="live"))
    personal = shop.recommend(user_id="ann", num_results=5, surface="home")
    assert personal["items"]
    trim_events(location, before=2**60, force=True)
    stranger = shop.recommend(user_id="nobody", num_results=5, surface="home")
    after = shop.recommend(user_id="ann", num_results=5, surface="home")
    assert [one["item_id"] for one in after["items"]] == [one["item_id"] for one in stranger["items"]]
    assert after["items"] != personal["items"]


def test_a_server_trims_by_itself_and_says_what_it_keeps(
    location: StoreLocation, store: StateStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    day = 86_400 * 10**6
    store.append_now([event(1 * day), event(9 * day)], received_at=1)
    export_events(location, tmp_path / "out")
    store.append_now([event(2 * day, user="bob")], received_at=1)
    stop = threading.Event()
    stop.set()
    with caplog.at_level("INFO"):
        trim_daily(location, keep_days=3, stop=stop, clock=lambda: 10 * 86_400.0)
    assert (times(store, "ann"), times(store, "bob")) == ([9 * day], [2 * day])
    said = caplog.text
    assert "1 events older than 3 days were trimmed" in said
    assert "shopkeeper events export" in said


def test_a_store_that_is_not_there_is_an_error(location: StoreLocation) -> None:
    with pytest.raises(ServingError, match="nothing to trim"):
        trim_events(location, before=1)


def test_the_file_becomes_shorter(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    with open_store(path) as store:
        store.append_now([event(at, user=f"user{at}") for at in range(5_000)], received_at=1)
    before = path.stat().st_size
    trim_events(path, before=4_900, force=True, rest=0)
    assert path.stat().st_size < before / 5
    assert len(kept(path)) == 100


def test_a_file_of_an_earlier_version_becomes_shorter_with_vacuum(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    with open_store(path) as store:
        store.append_now([event(at, user=f"user{at}") for at in range(5_000)], received_at=1)
    with closing(sqlite3.connect(path)) as connection:  # as schema 5 was
        connection.execute("DROP TABLE marks")
        connection.execute("PRAGMA user_version = 5")
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA auto_vacuum = NONE")
        connection.execute("VACUUM")
    before = path.stat().st_size
    trim_events(path, before=4_900, force=True, rest=0)
    assert path.stat().st_size >= before, "what is free is used again"
    trim_events(path, before=4_900, vacuum=True)
    assert path.stat().st_size < before / 5
    assert len(kept(path)) == 100


@pytest.mark.parametrize(("text", "said"), [("soon", "is no date"), ("2031-01-01", "in the future")])
def test_a_moment_that_cannot_be_meant_is_refused(text: str, said: str) -> None:
    with pytest.raises(ServingError, match=f"--before {text}: .*{said}"):
        time_before(text, now=datetime(2030, 1, 1, tzinfo=UTC))
    assert time_before("1970-01-02", now=datetime(2030, 1, 1, tzinfo=UTC)) == 86_400 * 10**6
