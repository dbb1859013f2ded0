"""The numbers that the ranker reads of each candidate. It is trained on the output of `describe_candidates`
and served with it: there is no second implementation. Shapes: C candidates, F features, M codes of one
person, N items, D width of the vectors.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.core.columns import MICROSECONDS_PER_DAY
from features.histories import IntArray
from features.profiles.item_statistics import ITEM_STATISTICS
from features.profiles.recency_frequency import RecencyFrequency
from features.profiles.user_profile import UserProfile
from features.retrievers.fit import SourceTables
from serving.recommend.candidates import FloatArray, Signals
from serving.recommend.feature_names import (
    CATEGORY_ORDER,
    FEATURES,
    FEATURES_OF_TIME,
    HALF_LIVES,
    THREE_WINDOWS,
    WINDOW,
)

Column = NDArray[np.floating[Any]]

MAX_DUE = 5.0
"""Overdue beyond this many gaps is all the same."""


def describe_candidates(
    items: IntArray,
    *,
    person: UserProfile,
    signals: Signals,
    tables: SourceTables,
    item_vectors: FloatArray,
    as_of: int,
    has_times: bool,
) -> FloatArray:
    """The features (C, F) of `items` for this person at `as_of`, in the order of `FEATURES`."""
    columns: dict[str, Column | float] = {
        **_own_features(items, person=person, tables=tables),
        **_encoder_features(items, signals=signals, item_vectors=item_vectors),
        **_item_features(items, tables=tables, as_of=as_of),
        **_level_features(items, person.in_category, codes=tables.category, level="category"),
        **_level_features(items, person.in_parent, codes=tables.parent, level="parent"),
        **_taste_features(items, person=person, tables=tables),
        **_person_features(person),
        "together_score": np.log1p(10 * signals.together.at(items)),
        "next_score": np.log1p(10 * signals.following.at(items)),
        "people_score": np.log1p(100 * signals.people.at(items)),
        "context_score": np.log1p(10 * signals.context.at(items)),
        "has_context": float(len(signals.context_items) > 0),
    }
    columns["own_in_category"] = _share(person, items, tables)
    if not has_times:
        columns.update(dict.fromkeys(FEATURES_OF_TIME, 0.0))
    features = np.empty((len(items), len(FEATURES)), np.float32)
    for place, name in enumerate(FEATURES):
        features[:, place] = columns[name]
    return features


class _Places:
    """Where each candidate's code stands among those of a rhythm."""

    def __init__(self, of: RecencyFrequency, codes: IntArray) -> None:
        self._place = np.minimum(np.searchsorted(of.codes, codes), max(len(of) - 1, 0))
        self.found = of.codes[self._place] == codes if len(of) else np.zeros(len(codes), bool)

    def at(self, values: NDArray[Any]) -> FloatArray:
        """(M,) → (C,), 0 where the code is not among them."""
        if not len(values):
            return np.zeros(len(self.found), np.float32)
        return np.where(self.found, values[self._place], np.float32(0)).astype(np.float32)


def _due(days_since: FloatArray, gap: FloatArray) -> Column:
    return np.where(gap > 0, np.clip(days_since / np.maximum(gap, 0.5), 0, MAX_DUE), 0)


def _own_features(items: IntArray, *, person: UserProfile, tables: SourceTables) -> dict[str, Column]:
    own = person.own
    places = _Places(own, items)
    days_since, count = places.at(own.days_since), places.at(own.counts)
    item_gap = np.maximum(tables.repeat_gap_days[items], 1e-3)
    recent = ("own_quarter", "own_half", "own_window", "own_two", "own_three")
    return {
        "is_own": places.found.astype(np.float32),
        "own_count": np.log1p(count),
        **{
            f"own_decayed_{half_life:g}": np.log1p(places.at(own.decayed[:, place]))
            for place, half_life in enumerate(HALF_LIVES)
        },
        **{name: np.log1p(places.at(own.recent[:, place])) for place, name in enumerate(recent)},
        "own_basket_share": count / max(person.num_baskets, 1),
        "own_days_since": np.log1p(days_since),
        "own_days_since_first": np.log1p(places.at(own.days_since_first)),
        "own_due": _due(days_since, places.at(np.nan_to_num(own.mean_gap))),
        "item_due": np.where(places.found, np.clip(days_since / item_gap, 0, MAX_DUE), 0),
    }


def _share(person: UserProfile, items: IntArray, tables: SourceTables) -> Column:
    """What share of the person's wish for a category the item has."""
    own = _Places(person.own, items).at(person.own.decayed[:, CATEGORY_ORDER])
    category = _Places(person.in_category, tables.category[items]).at(
        person.in_category.decayed[:, CATEGORY_ORDER]
    )
    return own / np.maximum(category, 1e-6)


def _level_features(
    items: IntArray, of: RecencyFrequency, *, codes: IntArray, level: str
) -> dict[str, Column]:
    places = _Places(of, codes[items])
    days_since = places.at(of.days_since)
    return {
        f"{level}_count": np.log1p(places.at(of.counts)),
        f"{level}_decayed": np.log1p(places.at(of.decayed[:, CATEGORY_ORDER])),
        f"{level}_days_since": np.log1p(days_since),
        f"{level}_due": _due(days_since, places.at(np.nan_to_num(of.mean_gap))),
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
    numbers = tables.numbers.take(items, axis=0)
    return {
        **{name: numbers[:, place] for place, name in enumerate(ITEM_STATISTICS)},
        "item_repeat_rate": tables.repeat_rate[items],
        "popularity": np.log1p(recent),
        "popularity_all": np.log1p(tables.popularity_all[items]),
        "popularity_trend": np.log((recent + 5) / (before + 5)),
        "item_age": np.log1p(age_days),
    }


def _person_features(person: UserProfile) -> dict[str, float]:
    """The same for every candidate: the hidden layers weigh the others by them."""
    recency, frequency, money, tenure, _ = person.features.numbers.tolist()
    num_events = float(person.own.num_events.sum())
    return {
        "person_events": float(np.log1p(person.own.counts.sum())),
        "person_items": float(np.log1p(len(person.own))),
        "person_baskets": float(np.log1p(person.num_baskets)),
        "person_baskets_window": float(np.log1p(person.num_baskets_recent[WINDOW])),
        "person_baskets_three": float(np.log1p(person.num_baskets_recent[THREE_WINDOWS])),
        "person_new_window": float(np.log1p(person.num_new_recent[WINDOW])),
        "person_exploration": len(person.own) / max(num_events, 1.0),
        "user_recency": recency,
        "user_frequency": frequency,
        "user_money": money,
        "user_tenure": tenure,
    }


def _taste_features(items: IntArray, *, person: UserProfile, tables: SourceTables) -> dict[str, Column]:
    shares = _Places(person.in_category, tables.category[items]).at(person.category_shares)
    favourite = person.features.category
    with np.errstate(invalid="ignore", divide="ignore"):
        difference = (np.log(tables.price[items]) - person.log_price_mean) / max(
            person.log_price_deviation, 0.1
        )
    return {
        "category_share": np.sqrt(shares),
        "is_favourite_category": (tables.category[items] == favourite).astype(np.float32) * (favourite >= 0),
        "price_distance": np.clip(np.nan_to_num(np.abs(difference), nan=1.0, posinf=MAX_DUE), 0, MAX_DUE),
        "price_difference": np.clip(
            np.nan_to_num(difference, nan=0.0, posinf=MAX_DUE, neginf=-MAX_DUE), -MAX_DUE, MAX_DUE
        ),
    }
