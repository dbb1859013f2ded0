"""Twenty example users for a reviewer: their history, their list with its reasons, and the items they then
took. Without user ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from features.core.columns import EVENT_TYPES, MICROSECONDS_PER_DAY
from features.dataset import Dataset
from features.histories import IntArray
from features.splits import SplitPoint
from serving.recommend.pipeline import Pipeline
from serving.recommend.request import Query
from training.evaluation.bands import history_bands
from training.evaluation.user_figures import UserFigures
from training.queries import query_at

NUM_EXAMPLES = 20
NUM_EVENTS = 15
"""How many of the latest events of a history are shown"""
NUM_TAKEN = 40
"""How many of the items that a user took are shown"""


@dataclass(frozen=True)
class Past:
    """One event of the history."""

    title: str
    event_type: str
    days_ago: float | None
    """Days before the split point; None for data without timestamps"""


@dataclass(frozen=True)
class Place:
    """One position of the list."""

    title: str
    retriever: str
    """The retriever that proposed the item"""
    reason: str
    taken: bool
    """The user took it in the window after the split point"""
    own: bool
    """The item is in the user's purchase history"""


@dataclass(frozen=True)
class Taken:
    """One relevant item: the user took it in the window after the split point."""

    title: str
    rank: int | None
    """Position in the list, from 1; None where the list lacks it"""
    own: bool


@dataclass(frozen=True)
class Example:
    """One user, by index."""

    user: int
    """Index in the dataset; it identifies nobody outside it"""
    band: str
    """Band of history length, as in the breakdowns"""
    num_events: int
    past: list[Past]
    """Latest first"""
    places: list[Place]
    taken: list[Taken]
    """In the order of the list, then items that it lacks"""
    num_taken: int


def pick_users(figures: UserFigures, *, seed: int) -> dict[str, list[int]]:
    """Band of history length → users drawn from it by seed, ascending: twenty, evenly over the bands."""
    bands = history_bands(figures.history_lengths)
    generator = np.random.default_rng(seed)
    queues = [
        generator.permutation(figures.users["all"][bands.of == place]).tolist()
        for place in range(len(bands.names))
    ]
    picked: list[list[int]] = [[] for _ in queues]
    left = min(NUM_EXAMPLES, len(figures.users["all"]))
    while left:
        for queue, drawn in zip(queues, picked, strict=True):
            if queue and left:
                drawn.append(queue.pop())
                left -= 1
    return {name: sorted(drawn) for name, drawn in zip(bands.names, picked, strict=True)}


def examples(
    pipeline: Pipeline,
    dataset: Dataset,
    point: SplitPoint,
    *,
    relevant: Mapping[int, IntArray],
    figures: UserFigures,
    seed: int,
) -> list[Example]:
    """The picked users, shortest histories first. `relevant`: user → items of the window."""
    return [
        _example(user, band, pipeline, query_at(dataset, point, user, num_results=figures.k), relevant[user])
        for band, users in pick_users(figures, seed=seed).items()
        for user in users
    ]


def as_json(found: list[Example]) -> list[dict[str, Any]]:
    """Entries for `examples.json`."""
    return [asdict(example) for example in found]


def from_json(entries: list[dict[str, Any]]) -> list[Example]:
    """The inverse of `as_json`."""
    found = []
    for entry in entries:
        past = [Past(**row) for row in entry["past"]]
        places = [Place(**row) for row in entry["places"]]
        taken = [Taken(**row) for row in entry["taken"]]
        found.append(Example(**{**entry, "past": past, "places": places, "taken": taken}))
    return found


def _example(user: int, band: str, pipeline: Pipeline, query: Query, relevant: IntArray) -> Example:
    titles, has_times = pipeline.bundle.titles, pipeline.bundle.settings.has_times
    history, as_of = query.history, query.as_of
    own = set(pipeline.rank(query).profile.own.codes.tolist())
    answer = pipeline.recommend(query).recommendations
    wanted = set(relevant.tolist())
    rank = {one.item: place for place, one in enumerate(answer, start=1)}
    taken = sorted(wanted, key=lambda item: (rank.get(item, len(rank) + 1), titles[item]))
    latest = list(
        zip(history.items.tolist(), history.event_types.tolist(), history.times.tolist(), strict=True)
    )[-NUM_EVENTS:]
    return Example(
        user=user,
        band=band,
        num_events=len(history),
        past=[
            Past(
                titles[item],
                EVENT_TYPES[event_type],
                round((as_of - time) / MICROSECONDS_PER_DAY, 1) if has_times else None,
            )
            for item, event_type, time in reversed(latest)
        ],
        places=[
            Place(titles[one.item], one.source, one.reasons[0].text, one.item in wanted, one.item in own)
            for one in answer
        ],
        taken=[Taken(titles[item], rank.get(item), item in own) for item in taken[:NUM_TAKEN]],
        num_taken=len(wanted),
    )
