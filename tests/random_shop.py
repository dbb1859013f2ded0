"""A shop of random rows, whose retrievers are fitted on them in memory; the encoder and the ranker are
hand-made."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hand_made_bundle import AS_OF, NUM_ITEMS

from configs.load import load_config
from configs.schema import Config
from configs.settings.encoder import HistoryConfig
from configs.settings.event_types import EventType
from configs.settings.recommend import SurfaceConfig
from features.core.columns import EVENT_TYPE_CODE, ITEM_EVENT_TYPES
from features.histories import History
from features.interactions import Interactions
from features.retrievers import fit_retrievers
from features.target_weights import target_weights
from serving.recommend.bundle import Bundle
from serving.recommend.pipeline import Pipeline

HOUR = 3_600_000_000
DAY = 24 * HOUR
NUM_USERS = 80
DISTRIBUTION = np.array([0.1, 0.25, 0.05, 0.1, 0.03, 0.25, 0.06, 0.16])
"""How often each of `ITEM_EVENT_TYPES`"""
Row = tuple[int, str, int]
"""(time, event type, item)"""


def random_rows(chance: np.random.Generator, *, end: int, days: float) -> list[Row]:
    """A user's events before `end`: visits of a few events each, at distinct times, about a few items."""
    rows = []
    liked = chance.choice(NUM_ITEMS, size=int(chance.integers(1, 8)), replace=False)
    for _ in range(int(chance.integers(1, 12))):
        start = end - int(chance.exponential(days / 3) * DAY) - HOUR
        size = int(chance.integers(1, 6))
        times = start + np.sort(chance.choice(20, size, replace=False)) * 60_000_000 + chance.integers(1000)
        names = chance.choice(ITEM_EVENT_TYPES, size=size, p=DISTRIBUTION)
        rows += list(zip(times.tolist(), names.tolist(), chance.choice(liked, size).tolist(), strict=True))
    return sorted({row[0]: row for row in rows}.values())


def as_history(rows: list[Row], *, first_basket: int = 0) -> History:
    return History(
        items=np.array([item for *_, item in rows], np.int32),
        event_types=np.array([EVENT_TYPE_CODE[name] for _, name, _ in rows], np.int8),
        times=np.array([time for time, *_ in rows], np.int64),
        baskets=np.arange(first_basket, first_basket + len(rows)),
        prices=np.full(len(rows), 2.0, np.float32),
    )


def shop_rows(*, seed: int = 5) -> list[list[Row]]:
    """The events of each user, before the bundle's moment."""
    chance = np.random.default_rng(seed)
    return [random_rows(chance, end=AS_OF, days=120) for _ in range(NUM_USERS)]


def fitted_pipeline(
    bundle: Bundle,
    rows: list[list[Row]],
    *,
    targets: tuple[EventType, ...] = ("purchase",),
    as_of: int = AS_OF,
    has_times: bool = True,
) -> Pipeline:
    """The hand-made bundle with retrievers fitted on the rows, and surfaces that lack some of them."""
    history = HistoryConfig(targets=dict.fromkeys(targets, 1.0), max_length=20)
    surfaces = bundle.surfaces | {
        "shelf": SurfaceConfig(retrievers=("user_knn", "next_basket")),
        "bare": SurfaceConfig(retrievers=("co_occurrence", "popularity"), fallback=None),
    }
    config = load_config().model_copy(update={"history": history, "surfaces": surfaces})
    changed = {"history": history, "surfaces": surfaces, "has_times": has_times}
    interactions = interactions_of(rows, config, bundle, as_of=as_of, has_times=has_times)
    return Pipeline(
        replace(
            bundle,
            manifest={**bundle.manifest, "as_of": as_of},
            settings=bundle.settings.model_copy(update=changed),
            retrievers=fit_retrievers(interactions, config),
        )
    )


def interactions_of(
    rows: list[list[Row]], config: Config, bundle: Bundle, *, as_of: int, has_times: bool
) -> Interactions:
    """The target events that stand."""
    users = np.repeat(np.arange(len(rows), dtype=np.int32), [len(of_user) for of_user in rows])
    events = as_history([row for of_user in rows for row in of_user])
    weights = target_weights(users, events, config.history.targets)
    counts = weights > 0
    return Interactions(
        users=users[counts],
        events=events.take(counts),
        weights=weights[counts],
        num_items=NUM_ITEMS,
        as_of=as_of,
        has_times=has_times,
        categories=np.asarray(bundle.item_profiles.category),
        parents=np.asarray(bundle.item_profiles.parent),
        user_keys=lambda: [f"u{user}" for user in range(len(rows))],
        catalogue=lambda: bundle.catalogue,
        trained=bundle.retrievers,
    )
