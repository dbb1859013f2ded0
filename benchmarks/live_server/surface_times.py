"""Milliseconds of one cold list by surface, in this process, beside `home` in the same run."""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from serving.http.schemas import RecommendRequest
from serving.http.service import Service
from serving.recommend.pipeline import Pipeline
from serving.state.store import EventStore

NUM_LISTS: Final = 200
"""Lists of each surface, each of another user"""
NUM_CART: Final = 4
HOUR: Final = 3_600_000_000


def surface_milliseconds(
    bundle_folder: Path, store_file: Path, *, users: Sequence[str], num_lists: int = NUM_LISTS
) -> dict[str, dict[str, float]]:
    """Surface → the median milliseconds of a list, from request to answer, of users whom the process does not
    know, and their ratio to those of `home`.

    The surfaces take turns, so that what else the machine does falls on all of them alike. `product` and
    `similar` show one of the popular items, `cart` four; the user's own history is read each time. `users`:
    (1 + number of surfaces) times `num_lists`.
    """
    pipeline = Pipeline.load(bundle_folder)
    bundle = pipeline.bundle
    surfaces = sorted(bundle.surfaces, key=lambda name: (name != "home", name))
    spent: dict[str, list[float]] = {name: [] for name in surfaces}
    popular = [bundle.item_ids[int(item)] for item in pipeline.most_popular(50)]
    chance = np.random.default_rng(0)
    waiting = iter(users)
    with EventStore.open(store_file) as store:
        service = Service(pipeline, store, max_events_kept=5_000, clock=lambda: bundle.as_of + HOUR)
        service.warm_up()
        gc.freeze()  # as a replica does
        for user in [next(waiting) for _ in range(num_lists)]:
            service.recommend(RecommendRequest(user_id=user))
        for _ in range(num_lists):
            for surface in surfaces:
                num_shown = {"product": 1, "similar": 1, "cart": NUM_CART}.get(surface, 0)
                shown = chance.choice(popular, num_shown, replace=False).tolist()
                request = RecommendRequest(user_id=next(waiting), surface=surface, item_ids=shown)
                started = time.perf_counter()
                service.recommend(request)
                spent[surface].append(time.perf_counter() - started)
    home = float(np.median(spent["home"]))
    return {
        name: {
            "milliseconds": round(1000 * float(np.median(seconds)), 3),
            "ratio_to_home": round(float(np.median(seconds)) / home, 2),
        }
        for name, seconds in spent.items()
    }
