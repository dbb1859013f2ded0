"""A replica that has followed a user and one that was started a moment ago say the same."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hand_made_bundle import AS_OF, ITEM_IDS, write_bundle
from hypothesis import given, settings
from hypothesis import strategies as st
from redis_server import RedisServer

from features.histories import History
from serving.http.schemas import RecommendRequest
from serving.http.service import Service
from serving.recommend.pipeline import Pipeline
from serving.state import history_caches
from serving.state.event_log import Event
from serving.state.history_caches import HistoryCaches
from serving.state.protocol import StateStore
from serving.state.store_location import StoreLocation, open_store

ITEMS = {"apple": 0, "bread": 1, "cheese": 2}
LIMIT = 5
rows_in_the_order_of_arrival = st.lists(
    st.tuples(
        st.sampled_from([*ITEMS, "gone", "sold elsewhere"]),
        st.integers(1, 6),
        st.sampled_from(["purchase", "purchase", "refund", "view_item"]),
        st.sampled_from([None, "t1", "t2"]),
    ),
    max_size=25,
)


def caches_of(store: StateStore) -> HistoryCaches:
    caches: HistoryCaches = vars(store)["_caches"]
    return caches


def append(store: StateStore, number: int, item: str, at: int, kind: str, transaction: str | None) -> None:
    event = Event(f"e{number}", 0, kind, at, user_id="ann", item_id=item, transaction_id=transaction, price=1)
    store.append_now([event], received_at=number)


def assert_same(one: History, other: History) -> None:
    for name in ("items", "event_types", "times", "baskets", "prices"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def assert_followed_is_loaded(location: StoreLocation, rows: list[tuple[str, int, str, str | None]]) -> None:
    with open_store(location) as followed:
        for number, row in enumerate(rows):
            append(followed, number, *row)
            warm = followed.history("ann", ITEMS, limit=LIMIT)
        with open_store(location) as started:
            fresh = started.history("ann", ITEMS, limit=LIMIT)
        if rows:
            assert_same(warm, fresh)
            assert len(fresh) == min(LIMIT, sum(item in ITEMS for item, *_ in rows))


@given(rows_in_the_order_of_arrival)
@settings(max_examples=25)
def test_a_history_that_was_followed_is_the_one_that_is_loaded(
    rows: list[tuple[str, int, str, str | None]],
) -> None:
    with TemporaryDirectory() as folder:
        assert_followed_is_loaded(Path(folder) / "events.db", rows)


@given(rows_in_the_order_of_arrival)
@settings(max_examples=12)
def test_a_history_from_redis_is_the_one_that_was_followed_and_that_of_sqlite(
    redis_server: RedisServer, rows: list[tuple[str, int, str, str | None]]
) -> None:
    assert_followed_is_loaded(redis := redis_server.location(), rows)
    with (
        TemporaryDirectory() as folder,
        open_store(redis) as one,
        open_store(Path(folder) / "events.db") as other,
    ):
        for number, row in enumerate(rows):
            append(other, number, *row)
        for limit in (2, LIMIT, 100):
            assert_same(one.history("ann", ITEMS, limit=limit), other.history("ann", ITEMS, limit=limit))
        assert one.latest_events("ann", limit=9) == other.latest_events("ann", limit=9)
        assert one.recently_active_users(9) == other.recently_active_users(9)


def test_a_user_with_any_number_of_transactions_takes_no_more_memory(location: StoreLocation) -> None:
    """And the baskets stay right, for a refund of a forgotten transaction, too."""
    with open_store(location) as followed:
        for number in range(60):
            append(followed, number, "apple", number, "purchase", f"t{number}")
            warm = followed.history("ann", ITEMS, limit=LIMIT)
        for number, kind in ((60, "purchase"), (61, "refund"), (62, "purchase")):
            append(followed, number, "bread", number, kind, "t3")
            warm = followed.history("ann", ITEMS, limit=LIMIT)
        (cache,) = caches_of(followed).users.values()
        assert len(cache._basket_of) <= 2 * LIMIT + 1
        with open_store(location) as started:
            assert_same(warm, started.history("ann", ITEMS, limit=LIMIT))


@pytest.mark.parametrize(("most", "value"), [("MAX_CACHED_USERS", 4), ("MAX_CACHED_EVENTS", 12)])
def test_histories_in_memory_are_bounded_by_users_and_by_events(
    location: StoreLocation, monkeypatch: pytest.MonkeyPatch, most: str, value: int
) -> None:
    monkeypatch.setattr(history_caches, most, value)
    with open_store(location) as store:
        events = [
            Event(f"{user}-{number}", 0, "purchase", number, user_id=f"u{user}", item_id="apple")
            for user in range(9)
            for number in range(3)
        ]
        store.append_now(events, received_at=1)
        for user in (*range(9), 7, 8, 8):
            assert len(store.history(f"u{user}", ITEMS, limit=LIMIT)) == 3
        assert list(caches_of(store).users) == ["u5", "u6", "u7", "u8"], (
            "the latest four users, of three events each"
        )
        store.append_now([Event("new", 0, "purchase", 9, user_id="u5", item_id="apple")], received_at=1)
        assert len(store.history("u5", ITEMS, limit=LIMIT)) == 4
        assert store.num_cached_events == sum(len(cache.history) for cache in caches_of(store).users.values())
        assert store.num_cached_events <= 13
        assert "u5" in caches_of(store).users
        store.history("u5", ITEMS, limit=2)
        assert store.num_cached_events == sum(len(cache.history) for cache in caches_of(store).users.values())


def test_one_history_of_any_length_stays_in_memory(
    location: StoreLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_caches, "MAX_CACHED_EVENTS", 2)
    with open_store(location) as store:
        for number in range(5):
            append(store, number, "apple", number, "purchase", None)
        assert len(store.history("ann", ITEMS, limit=LIMIT)) == 5
        assert list(caches_of(store).users) == ["ann"]


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return Pipeline.load(write_bundle(tmp_path_factory.mktemp("bundle") / "bundle"))


def test_lists_are_the_same_however_many_events_are_of_unknown_items(
    pipeline: Pipeline, location: StoreLocation
) -> None:
    def home(store: StateStore) -> list[str]:
        service = Service(pipeline, store, max_events_kept=10, clock=lambda: AS_OF + 10**9)
        answer = service.recommend(RecommendRequest(user_id="ann"))
        assert answer.fallback_used is None
        return [item.item_id for item in answer.items]

    with open_store(location) as followed:
        for number in range(40):
            item = ITEM_IDS[number] if number < 15 else f"new{number}"
            append(followed, number, item, AS_OF + number, "purchase", None)
            warm = home(followed)
        with open_store(location) as started:
            assert home(started) == warm
