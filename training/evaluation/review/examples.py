"""Twenty users as a reviewer sees them: what they did, their list with its reasons, what they then took. No
user ids."""

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
from training.evaluation.review.bands import history_bands
from training.evaluation.review.user_figures import UserFigures
from training.queries import query_at

NUM_EXAMPLES = 20
NUM_EVENTS = 15
"""Latest events shown of a history"""
NUM_TAKEN = 40
"""Items shown of what a user took"""


@dataclass(frozen=True)
class Past:
    """One event before the split point."""

    title: str
    kind: str
    days_ago: float | None
    """Before the split point; None for data without times"""


@dataclass(frozen=True)
class Place:
    """One place in the list."""

    title: str
    source: str
    reason: str
    taken: bool
    """The user took it in the window after the split point"""
    own: bool
    """The user had bought it before"""


@dataclass(frozen=True)
class Taken:
    """One item that the user took in the window."""

    title: str
    rank: int | None
    """Its place in the list, from 1; None where the list lacks it"""
    own: bool


@dataclass(frozen=True)
class Example:
    """One user."""

    user: int
    """Index in the dataset: it says nothing outside it"""
    band: str
    """Target events before the split point, as the breakdown by history length puts it"""
    num_events: int
    past: list[Past]
    """The latest first"""
    places: list[Place]
    taken: list[Taken]
    """In the order of the list, then what it lacks"""
    num_taken: int


def pick_users(figures: UserFigures, *, seed: int) -> dict[str, list[int]]:
    """Band of history length → users drawn from it by seed, ascending; as many from each as there are, twenty
    in all."""
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
    """The picked users, those with the shortest histories first. `relevant`: user → what they took after the
    split point."""
    return [
        _example(user, band, pipeline, query_at(dataset, point, user, num_results=figures.k), relevant[user])
        for band, users in pick_users(figures, seed=seed).items()
        for user in users
    ]


def as_json(found: list[Example]) -> list[dict[str, Any]]:
    """Plain entries for `examples.json`."""
    return [asdict(example) for example in found]


def from_json(entries: list[dict[str, Any]]) -> list[Example]:
    """What `as_json` made."""
    found = []
    for entry in entries:
        past = [Past(**row) for row in entry["past"]]
        places = [Place(**row) for row in entry["places"]]
        taken = [Taken(**row) for row in entry["taken"]]
        found.append(Example(**{**entry, "past": past, "places": places, "taken": taken}))
    return found


def as_columns(found: list[Example]) -> dict[str, list[Any]]:
    """One row a place of a list, for MLflow's table."""
    rows = [
        {
            "user": example.user,
            "events before": example.band,
            "place": place,
            "product": shown.title,
            "source": shown.source,
            "reason": shown.reason,
            "taken": "yes" if shown.taken else "no",
            "had it before": "yes" if shown.own else "no",
        }
        for example in found
        for place, shown in enumerate(example.places, start=1)
    ]
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


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
                EVENT_TYPES[kind],
                round((as_of - time) / MICROSECONDS_PER_DAY, 1) if has_times else None,
            )
            for item, kind, time in reversed(latest)
        ],
        places=[
            Place(titles[one.item], one.source, one.reasons[0].text, one.item in wanted, one.item in own)
            for one in answer
        ],
        taken=[Taken(titles[item], rank.get(item), item in own) for item in taken[:NUM_TAKEN]],
        num_taken=len(wanted),
    )
