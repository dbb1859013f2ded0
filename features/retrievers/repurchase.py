"""What a user had before and may have again. Shapes: N items, C candidates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray

from configs.schema import Config
from features.core.columns import EVENT_TYPES
from features.core.participles import PARTICIPLES, PLACE
from features.histories import IntArray
from features.interactions import Interactions
from features.profiles.recency_frequency import MAX_OVERDUE, overdue
from features.profiles.repeat_rates import repeat_rates
from features.profiles.user_profile import HALF_LIVES
from features.retriever import Column, Reason, Retrieval, Retriever, ScoredItems, UserContext, Wording

HALF_LIFE: Final = HALF_LIVES.index(120.0)
"""The decayed count by which a user's items are ordered: the best of them alone on Complete Journey."""

MICROSECONDS_PER_HOUR: Final = 3_600_000_000

_RECENT: Final = ("own_quarter", "own_half", "own_window", "own_two", "own_three")
"""Counts in each of `user_profile.RECENT_WINDOWS`."""


@dataclass(frozen=True)
class Repurchase(Retriever):
    """The user's own items, by a count that halves every 120 days."""

    name: ClassVar[str] = "repurchase"
    label: ClassVar[str] = "repurchase, half-life 120 days"
    num_candidates: ClassVar[int] = 500
    columns: ClassVar[tuple[str, ...]] = (
        "is_own",
        "own_count",
        *(f"own_decayed_{half_life:g}" for half_life in HALF_LIVES),
        "own_basket_share",
        *_RECENT,
        "own_days_since",
        "own_days_since_first",
        "own_due",
        "item_due",
        "item_repeat_rate",
    )
    time_columns: ClassVar[tuple[str, ...]] = (
        *_RECENT,
        "own_days_since",
        "own_days_since_first",
        "own_due",
        "item_due",
    )
    shapes: ClassVar[Mapping[str, str]] = {"rate": "float N", "gap_days": "float N"}

    rate: NDArray[np.float32]
    """(N,) share of an item's buyers who bought it again"""
    gap_days: NDArray[np.float32]
    """(N,) mean days until they did"""

    @classmethod
    def fit(cls, interactions: Interactions, config: Config) -> Self:
        """See `Retriever.fit`."""
        rates = repeat_rates(
            interactions.users,
            interactions.events,
            num_items=interactions.num_items,
            as_of=interactions.as_of,
        )
        return cls(rate=rates.rate, gap_days=rates.gap_days)

    def for_user(self, user: UserContext) -> ScoredItems:
        """See `Retriever.for_user`."""
        own = user.profile.own
        return ScoredItems(items=own.codes, scores=own.decayed[:, HALF_LIFE])

    def features(self, items: IntArray, retrieval: Retrieval) -> Mapping[str, Column]:
        """See `Retriever.features`."""
        profile = retrieval.user.profile
        own, rows = profile.own, profile.own.rows_of(items)
        days_since, count = rows.at(own.days_since), rows.at(own.counts)
        item_gap = np.maximum(self.gap_days[items], 1e-3)
        decayed = {
            f"own_decayed_{half_life:g}": np.log1p(rows.at(own.decayed[:, place]))
            for place, half_life in enumerate(HALF_LIVES)
        }
        return {
            "is_own": rows.found.astype(np.float32),
            "own_count": np.log1p(count),
            **decayed,
            "own_basket_share": count / max(profile.num_baskets, 1),
            **{name: np.log1p(rows.at(own.recent[:, place])) for place, name in enumerate(_RECENT)},
            "own_days_since": np.log1p(days_since),
            "own_days_since_first": np.log1p(rows.at(own.days_since_first)),
            "own_due": overdue(days_since, rows.at(np.nan_to_num(own.mean_gap))),
            "item_due": np.where(rows.found, np.clip(days_since / item_gap, 0, MAX_OVERDUE), 0),
            "item_repeat_rate": self.rate[items],
        }

    def reasons(self, items: IntArray, retrieval: Retrieval, wording: Wording) -> Mapping[int, Reason]:
        """How often and how lately, of the event type that says most: purchases where there are any."""
        profile = retrieval.user.profile
        asked = np.isin(profile.target_items, items)
        codes, when = profile.target_event_types[asked], profile.target_times[asked]
        own, group = np.unique(profile.target_items[asked], return_inverse=True)
        place = PLACE[codes]
        most = np.full(len(own), len(PLACE))
        np.minimum.at(most, group, place)
        counts = place == most[group]
        times = np.bincount(group[counts], minlength=len(own))
        last = np.zeros(len(own), np.int64)
        np.maximum.at(last, group[counts], when[counts])
        event_type = np.zeros(len(own), np.int8)
        event_type[group[counts]] = codes[counts]
        ago = (retrieval.user.as_of - last).tolist()
        found = zip(own.tolist(), event_type.tolist(), times.tolist(), ago, strict=True)
        return {item: _reason(EVENT_TYPES[code], often, ago, wording) for item, code, often, ago in found}


def _reason(event_type: str, count: int, ago: int, wording: Wording) -> Reason:
    """`count` events of a type, the last of them `ago` microseconds ago."""
    often = {1: "once", 2: "twice"}.get(count, f"{count} times")
    when = f", last {_ago(ago)}" if wording.has_times else ""
    code = "bought_before" if event_type == "purchase" else "chosen_before"
    return Reason(code, f"{PARTICIPLES[event_type].capitalize()} {often}{when}", priority=2)


def _ago(microseconds: int) -> str:
    """Hours below two days, so that it is true in every time zone: what is `yesterday` depends on it."""
    hours = microseconds // MICROSECONDS_PER_HOUR
    if hours < 48:
        return f"{hours} hour{'' if hours == 1 else 's'} ago" if hours else "within the hour"
    return f"{hours // 24} days ago"
