"""`python -m serving.compile_loops`: compile what serving loops over, once, and keep the machine code.

For an image, whose containers start again and again: without it the first list of each costs twenty seconds.
NUMBA_CACHE_DIR says where it is kept, and NUMBA_CPU_NAME for which processors. It makes up a small shop and
asks for a list on each surface.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from configs.schema import Config
from configs.settings.recommend import SurfaceConfig
from features.histories import History
from features.interactions import Interactions
from features.profiles.item_profiles import ItemProfiles
from features.retriever import Retriever
from features.retrievers import retriever_class, retriever_names
from features.retrievers.encoder import EncoderRetriever
from serving.http.schemas import RecommendRequest
from serving.http.service import Service
from serving.recommend.bundle import Bundle, BundleSettings
from serving.recommend.pipeline import Pipeline
from serving.recommend.ranker import Ranker
from serving.state.live_events import ExchangeRates
from serving.state.protocol import ItemChange
from serving.state.store import STORE_FILE, EventStore

NUM_USERS = 20
NUM_ITEMS = 50
NUM_EVENTS = 1_000
DAY = 86_400_000_000
AS_OF = 1_700_000_000_000_000


class _EqualScores(Ranker):
    """Stands for a trained ranker."""

    def __init__(self) -> None:
        self.columns = ()

    def scores(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.zeros(len(features), np.float32)


def made_up_bundle() -> Bundle:
    """Every retriever but the encoder, fitted on random purchases."""
    random, config = np.random.default_rng(0), Config()
    users = np.sort(random.integers(0, NUM_USERS, NUM_EVENTS)).astype(np.int32)
    times = AS_OF - np.sort(random.integers(1, 100 * DAY, NUM_EVENTS))[::-1].copy()
    events = History(
        items=random.integers(0, NUM_ITEMS, NUM_EVENTS).astype(np.int32),
        event_types=np.full(NUM_EVENTS, 9, np.int8),
        times=times,
        baskets=np.arange(NUM_EVENTS) // 3,
        prices=np.full(NUM_EVENTS, 2, np.float32),
    )
    category = (np.arange(NUM_ITEMS) % 5).astype(np.int32)
    interactions = Interactions(
        users=users,
        events=events,
        weights=np.ones(NUM_EVENTS, np.float32),
        num_items=NUM_ITEMS,
        as_of=AS_OF,
        has_times=True,
        categories=category,
        parents=category // 2,
        user_keys=lambda: [f"user {number}" for number in range(NUM_USERS)],
    )
    names = [name for name in retriever_names() if name != EncoderRetriever.name]
    retrievers: dict[str, Retriever] = {
        name: retriever_class(name).fit(interactions, config) for name in names
    }
    surfaces = {
        "home": SurfaceConfig(retrievers=tuple(names)),
        "product": SurfaceConfig(retrievers=tuple(names), order_by="page"),
    }
    return Bundle(
        manifest={"name": "made up", "as_of": AS_OF, "fingerprint": "none"},
        settings=BundleSettings(
            history=config.history, retrievers=config.retrievers, surfaces=surfaces, has_times=True
        ),
        catalogue=pl.DataFrame({"id": [f"item {number}" for number in range(NUM_ITEMS)]}),
        can_be_shown=np.ones(NUM_ITEMS, bool),
        item_profiles=ItemProfiles.fit(interactions, config),
        retrievers=retrievers,
        ranker=_EqualScores(),
    )


def main() -> None:
    """Compile, by answering requests of a user with a stored history."""
    with tempfile.TemporaryDirectory() as folder, EventStore.open(Path(folder) / STORE_FILE) as store:
        service = Service(
            Pipeline(made_up_bundle()), store, max_events_kept=100, exchange_rates=ExchangeRates()
        )
        bought = {"event_type": "purchase", "user_id": "user 1", "item_id": "item 1", "price": 2.0}
        asyncio.run(service.recorder.record([bought, {**bought, "item_id": "item 2"}]))
        service.recommend(RecommendRequest(user_id="user 1"))
        service.use(service.live.grown([ItemChange(1, "new", {"title": "New"}, AS_OF)], now=AS_OF))
        service.warm_up()


if __name__ == "__main__":
    main()
