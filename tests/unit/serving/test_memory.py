"""A server that has seen many users holds no more than one that has seen as many as it keeps."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from pathlib import Path

import pytest
from hand_made_bundle import ITEM_IDS, write_bundle

from serving.http.schemas import RecommendRequest
from serving.http.service import Service
from serving.recommend.pipeline import Pipeline
from serving.state import history_caches
from serving.state.store import EventStore


def test_new_users_take_no_memory_once_the_cache_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cached user takes some 2 kB: 30 that were not evicted would be seen."""
    monkeypatch.setattr(history_caches, "MAX_CACHED_USERS", 5)
    with EventStore.open(tmp_path / "events.db") as store:
        service = Service(Pipeline.load(write_bundle(tmp_path / "bundle")), store, max_events_kept=100)

        def visit(first: int, last: int) -> int:
            """Returns the bytes that Python holds afterwards."""
            events = [
                {"event_type": "purchase", "user_id": f"u{user}", "item_id": ITEM_IDS[(user + step) % 30]}
                for user in range(first, last)
                for step in range(3)
            ]
            assert asyncio.run(service.recorder.record(events)).accepted == len(events)
            del events
            for user in range(first, last):
                assert service.recommend(RecommendRequest(user_id=f"u{user}")).fallback_used is None
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

        visit(0, 5)
        tracemalloc.start()
        try:
            before = visit(5, 45)  # NumPy keeps small blocks, up to a bound
            grown = visit(45, 75) - before
        finally:
            tracemalloc.stop()
    assert grown < 30_000
