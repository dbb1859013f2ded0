"""What people like this one had lately: neighbours by what both have, from a table of some thousand people.
Shapes: P people, N items.

Source: user-based collaborative filtering, cosine of counts weighted by inverse frequency (Breese et al.
1998, arXiv:1301.7363).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from features.core.columns import MICROSECONDS_PER_DAY
from features.histories import History, IntArray, TimeArray

MAX_PEOPLE: Final = 5_000
"""The people compared with: bounds the time of a request, whatever the shop's size."""

NUM_NEIGHBOURS: Final = 200
"""How many of them, the nearest, say what they had."""

MAX_ITEMS: Final = 1_000
"""Items of one person that are compared, those with the most events."""


@dataclass(frozen=True)
class People:
    """Who has what (by item), and what each had lately (by person)."""

    idf: NDArray[np.float32]
    """(N,) logarithm of all people by those who have the item, 0 for one that nobody has"""
    item_offsets: TimeArray
    """(N + 1,) item i stands at item_offsets[i]:item_offsets[i + 1] of the two below"""
    members: IntArray
    """(V,) a person who has the item"""
    weights: NDArray[np.float32]
    """(V,) the item's share of that person's vector of length 1"""
    recent_offsets: TimeArray
    """(P + 1,)"""
    recent_items: IntArray
    """(R,) the distinct items of each person's recent events"""

    @property
    def num_people(self) -> int:
        return len(self.recent_offsets) - 1


def fit_people(users: IntArray, events: History, *, num_items: int, as_of: int, days: float | None) -> People:
    """Fit on everyone's target events (E) before `as_of`; recent are those of the `days` before it (None:
    all).

    Of more than `MAX_PEOPLE` people those with the latest events are kept: they say what is had now.
    """
    past = events.times < as_of
    users, items, times = users[past], events.items[past], events.times[past]
    everyone, user = np.unique(users, return_inverse=True)
    latest = np.full(len(everyone), np.iinfo(np.int64).min)
    np.maximum.at(latest, user, times)
    kept = np.sort(np.argsort(-latest, kind="stable")[:MAX_PEOPLE])
    number = np.full(len(everyone), -1)
    number[kept] = np.arange(len(kept))
    person = number[user]
    items, times, person = items[person >= 0], times[person >= 0], person[person >= 0]
    pairs, counts = np.unique(items.astype(np.int64) * max(len(kept), 1) + person, return_counts=True)
    of_item, of_person = pairs // max(len(kept), 1), pairs % max(len(kept), 1)
    owners = np.bincount(of_item, minlength=num_items)
    idf = np.where(owners > 0, np.log((1 + len(kept)) / np.maximum(owners, 1)), 0.0)
    weights = np.log1p(counts) * idf[of_item]
    lengths = np.sqrt(np.bincount(of_person, weights=weights**2, minlength=len(kept)))
    since = as_of - int(days * MICROSECONDS_PER_DAY) if days is not None else np.iinfo(np.int64).min
    recent = np.unique(person[times >= since].astype(np.int64) * num_items + items[times >= since])
    return People(
        idf=idf.astype(np.float32),
        item_offsets=_offsets(of_item, num_items),
        members=of_person.astype(np.int32),
        weights=(weights / np.maximum(lengths[of_person], 1e-9)).astype(np.float32),
        recent_offsets=_offsets(recent // max(num_items, 1), len(kept)),
        recent_items=(recent % max(num_items, 1)).astype(np.int32),
    )


def people_scores(
    people: People, items: IntArray, num_events: NDArray[np.int64]
) -> tuple[IntArray, NDArray[np.float32]]:
    """What the nearest people had lately and this person, who has `items` so often, does not: (items
    ascending, share of people).

    Each neighbour counts by likeness. The person's own row in the table, where there is one, holds nothing
    but their own items.
    """
    if len(items) > MAX_ITEMS:
        most = np.sort(np.argsort(-num_events, kind="stable")[:MAX_ITEMS])
        used, num_events = items[most], num_events[most]
    else:
        used = items
    weights = np.log1p(num_events) * people.idf[used]
    rows, group = _rows(people.item_offsets, used)
    likeness = np.bincount(
        people.members[rows], weights=people.weights[rows] * weights[group], minlength=people.num_people
    )
    nearest = np.arange(len(likeness))
    if len(likeness) > NUM_NEIGHBOURS:
        nearest = np.argpartition(-likeness, NUM_NEIGHBOURS)[:NUM_NEIGHBOURS]
    nearest = nearest[likeness[nearest] > 0]
    rows, group = _rows(people.recent_offsets, nearest)
    total = float(likeness[nearest].sum())
    scores = np.bincount(people.recent_items[rows], weights=likeness[nearest][group], minlength=1)
    scores[items[items < len(scores)]] = 0.0
    found = np.flatnonzero(scores)
    return found.astype(np.int32), (scores[found] / max(total, 1e-9)).astype(np.float32)


def _offsets(ascending: NDArray[np.int64], number: int) -> TimeArray:
    return np.concatenate([[0], np.cumsum(np.bincount(ascending, minlength=number))]).astype(np.int64)


def _rows(offsets: TimeArray, picked: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All positions of the picked groups, and for each which of `picked` it belongs to."""
    starts, sizes = offsets[picked], offsets[picked + 1] - offsets[picked]
    group = np.repeat(np.arange(len(picked)), sizes)
    first = np.cumsum(sizes) - sizes
    return starts[group] + np.arange(len(group)) - first[group], group
