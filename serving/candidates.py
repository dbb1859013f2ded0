"""Candidates and their features: what every source proposes, described by the numbers that the ranker reads.

The ranker is trained on the output of these functions and served with it: there is no second implementation.
Shapes: C candidates, F features, N items, D width of the vectors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.columns import MICROSECONDS_PER_DAY
from features.cooccurrence import Neighbours, neighbour_scores
from features.fit_sources import SourceTables
from features.histories import IntArray
from features.person import Person

FloatArray = NDArray[np.float32]
Column = NDArray[np.floating[Any]]

HALF_LIVES = (30.0, 120.0, 365.0)
"""Days after which a purchase counts half, in the three decayed counts of own items."""

OWN_ORDER = HALF_LIVES.index(120.0)
"""The count by which own items are ordered where no ranker is asked: the best of the three alone on Complete Journey."""

FEATURES_OF_TIME = ("own_days_since", "own_due", "item_due", "popularity_trend", "item_age", "user_recency", "user_tenure")
"""Features that mean nothing on an ordinal clock; there they are 0."""

FEATURES = (
    "is_own",
    "own_count",
    "own_decayed_30",
    "own_decayed_120",
    "own_decayed_365",
    "own_basket_share",
    "own_days_since",
    "own_due",
    "item_due",
    "item_repeat_rate",
    "encoder_score",
    "encoder_rank",
    "together_score",
    "next_score",
    "context_score",
    "popularity",
    "popularity_all",
    "popularity_trend",
    "category_share",
    "price_distance",
    "item_age",
    "has_context",
    "person_events",
    "user_recency",
    "user_frequency",
    "user_money",
    "user_tenure",
    "is_favourite_category",
)


@dataclass(frozen=True)
class Scores:
    """A sparse vector over the catalogue: items ascending, and a number for each."""

    items: IntArray
    values: FloatArray

    @classmethod
    def none(cls) -> Scores:
        return cls(items=np.empty(0, np.int32), values=np.empty(0, np.float32))

    def at(self, items: IntArray) -> FloatArray:
        """The numbers of `items`, 0 where there is none."""
        if not len(self.items):
            return np.zeros(len(items), np.float32)
        place = np.minimum(np.searchsorted(self.items, items), len(self.items) - 1)
        return np.where(self.items[place] == items, self.values[place], np.float32(0))

    def best(self, count: int) -> IntArray:
        """The items with the largest numbers, best first."""
        return self.items[np.argsort(-self.values, kind="stable")[:count]]


@dataclass(frozen=True)
class Signals:
    """What the sources say of one request, before any item is picked."""

    together: Scores
    """Items in baskets with the person's recent items"""
    following: Scores
    """Items in the next basket after them"""
    context: Scores
    """Items in baskets with what is on the page, in the cart or was just looked at"""
    context_items: IntArray
    query_vector: FloatArray | None
    """(D,); None without a history"""
    nearest: IntArray
    """Items nearest to the query vector, best first"""


@dataclass(frozen=True)
class Candidates:
    """The union of what the sources propose."""

    items: IntArray
    """(C,) distinct, ascending"""
    features: FloatArray
    """(C, F) in the order of `FEATURES`"""
    proposed_by: Mapping[str, IntArray]
    """Source → its items, best first"""

    def feature(self, name: str) -> FloatArray:
        return self.features[:, FEATURES.index(name)]


def sum_neighbours(neighbours: Neighbours, of: IntArray) -> Scores:
    """The neighbours of the items `of`, summed; a later place in `of` weighs a little less."""
    if not len(of):
        return Scores.none()
    weights = (1.0 / np.sqrt(1.0 + np.arange(len(of)) / 10.0)).astype(np.float32)
    items, sums = neighbour_scores(neighbours, of, weights)
    return Scores(items=items, values=sums)


def describe_candidates(
    items: IntArray,
    *,
    person: Person,
    signals: Signals,
    tables: SourceTables,
    item_vectors: FloatArray,
    as_of: int,
    has_times: bool,
) -> FloatArray:
    """The features (C, F) of `items` for this person at `as_of`."""
    columns: dict[str, Column | float] = {
        **_own_features(items, person=person, tables=tables),
        **_encoder_features(items, signals=signals, item_vectors=item_vectors),
        **_item_features(items, tables=tables, as_of=as_of),
        **_taste_features(items, person=person, tables=tables),
        **_user_features(person),
        "together_score": np.log1p(10 * signals.together.at(items)),
        "next_score": np.log1p(10 * signals.following.at(items)),
        "context_score": np.log1p(10 * signals.context.at(items)),
        "has_context": float(len(signals.context_items) > 0),
        "person_events": np.log1p(person.own.counts.sum()),
    }
    if not has_times:
        columns.update(dict.fromkeys(FEATURES_OF_TIME, 0.0))
    features = np.empty((len(items), len(FEATURES)), np.float32)
    for place, name in enumerate(FEATURES):
        features[:, place] = columns[name]
    return features


def _own_features(items: IntArray, *, person: Person, tables: SourceTables) -> dict[str, Column]:
    own = person.own
    place = np.searchsorted(own.items, items)
    place[place == len(own)] = 0
    is_own = own.items[place] == items if len(own) else np.zeros(len(items), bool)

    def of_own(values: FloatArray) -> FloatArray:
        return np.where(is_own, values[place], np.float32(0)) if len(own) else np.zeros(len(items), np.float32)

    days_since = of_own(own.days_since)
    gap = of_own(np.nan_to_num(own.mean_gap))
    item_gap = np.maximum(tables.repeat_gap_days[items], 1e-3)
    return {
        "is_own": is_own.astype(np.float32),
        "own_count": np.log1p(of_own(own.counts)),
        "own_decayed_30": np.log1p(of_own(own.decayed[:, 0])),
        "own_decayed_120": np.log1p(of_own(own.decayed[:, 1])),
        "own_decayed_365": np.log1p(of_own(own.decayed[:, 2])),
        "own_basket_share": of_own(own.counts) / max(person.num_baskets, 1),
        "own_days_since": np.log1p(days_since),
        "own_due": np.where(gap > 0, np.clip(days_since / np.maximum(gap, 0.5), 0, 5), 0),
        "item_due": np.where(is_own, np.clip(days_since / item_gap, 0, 5), 0),
        "item_repeat_rate": tables.repeat_rate[items],
    }


def _encoder_features(items: IntArray, *, signals: Signals, item_vectors: FloatArray) -> dict[str, Column]:
    if signals.query_vector is None:
        nothing = np.zeros(len(items), np.float32)
        return {"encoder_score": nothing, "encoder_rank": nothing}
    scores = item_vectors.take(items, axis=0) @ signals.query_vector
    rank = np.empty(len(items), np.float32)
    rank[np.argsort(-scores, kind="stable")] = np.arange(len(items))
    return {"encoder_score": scores, "encoder_rank": 1.0 / np.sqrt(1.0 + rank)}


def _item_features(items: IntArray, *, tables: SourceTables, as_of: int) -> dict[str, Column]:
    recent, before = tables.popularity[items], tables.popularity_before[items]
    age_days = np.maximum(as_of - tables.first_seen[items], 0) / MICROSECONDS_PER_DAY
    return {
        "popularity": np.log1p(recent),
        "popularity_all": np.log1p(tables.popularity_all[items]),
        "popularity_trend": np.log((recent + 5) / (before + 5)),
        "item_age": np.log1p(age_days),
    }


def _user_features(person: Person) -> dict[str, float]:
    """The same for every candidate: the hidden layer weighs the others by them."""
    recency, frequency, money, tenure, _ = person.features.numbers.tolist()
    return {"user_recency": recency, "user_frequency": frequency, "user_money": money, "user_tenure": tenure}


def _taste_features(items: IntArray, *, person: Person, tables: SourceTables) -> dict[str, Column]:
    shares = Scores(items=person.categories, values=person.category_shares)
    favourite = person.features.category
    with np.errstate(invalid="ignore", divide="ignore"):
        away = np.abs(np.log(tables.price[items]) - person.log_price_mean) / max(person.log_price_deviation, 0.1)
    return {
        "category_share": np.sqrt(shares.at(tables.category[items])),
        "is_favourite_category": (tables.category[items] == favourite).astype(np.float32) * (favourite >= 0),
        "price_distance": np.clip(np.nan_to_num(away, nan=1.0, posinf=5.0), 0, 5),
    }
