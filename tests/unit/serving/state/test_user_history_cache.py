"""A replica that has followed a user and one that was started a moment ago say the same."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hand_made_bundle import AS_OF, ITEM_IDS, write_bundle
from hypothesis import given, settings
from hypothesis import strategies as st

from features.histories import History
from serving.http.schemas import RecommendRequest
from serving.http.service import Service
from serving.recommend.pipeline import Pipeline
from serving.state.event_log import Event
from serving.state.store import EventStore

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


def append(store: EventStore, number: int, item: str, at: int, kind: str, transaction: str | None) -> None:
    event = Event(f"e{number}", 0, kind, at, user_id="ann", item_id=item, transaction_id=transaction, price=1)
    store.append_now([event], received_at=number)


def assert_same(one: History, other: History) -> None:
    for name in ("items", "event_types", "times", "baskets", "prices"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


@given(rows_in_the_order_of_arrival)
@settings(max_examples=25)
def test_a_history_that_was_followed_is_the_one_that_is_loaded(
    rows: list[tuple[str, int, str, str | None]],
) -> None:
    with TemporaryDirectory() as folder, EventStore.open(Path(folder) / "events.db") as followed:
        for number, row in enumerate(rows):
            append(followed, number, *row)
            warm = followed.history("ann", ITEMS, limit=LIMIT)
        with EventStore.open(followed.path) as started:
            fresh = started.history("ann", ITEMS, limit=LIMIT)
        if rows:
            assert_same(warm, fresh)
            assert len(fresh) == min(LIMIT, sum(item in ITEMS for item, *_ in rows))


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return Pipeline.load(write_bundle(tmp_path_factory.mktemp("bundle") / "bundle"))


def test_lists_are_the_same_however_many_events_are_of_unknown_items(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    def home(store: EventStore) -> list[str]:
        service = Service(pipeline, store, max_events_kept=10, clock=lambda: AS_OF + 10**9)
        answer = service.recommend(RecommendRequest(user_id="ann"))
        assert answer.fallback_used is None
        return [item.item_id for item in answer.items]

    with EventStore.open(tmp_path / "events.db") as followed:
        for number in range(40):
            item = ITEM_IDS[number] if number < 15 else f"new{number}"
            append(followed, number, item, AS_OF + number, "purchase", None)
            warm = home(followed)
        with EventStore.open(followed.path) as started:
            assert home(started) == warm
