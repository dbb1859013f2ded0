"""What a user had before and may have again. Shapes: N items, C candidates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray

from configs.schema import Config
from features.histories import IntArray
from features.interactions import Interactions
from features.profiles.recency_frequency import MAX_OVERDUE, overdue
from features.profiles.repeat_rates import repeat_rates
from features.profiles.user_profile import HALF_LIVES
from features.retriever import Column, Reason, Retrieval, Retriever, ScoredItems, UserContext, Wording

HALF_LIFE: Final = HALF_LIVES.index(120.0)
"""The decayed count by which a user's items are ordered: the best of them alone on Complete Journey."""

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
        """How often and how lately."""
        own = retrieval.user.profile.own
        rows = own.rows_of(items)
        times, days = rows.at(own.num_events).astype(int), rows.at(own.days_since).astype(int)
        return {
            item: Reason("bought_before", f"{wording.verb} {_times(count)}, last {_ago(since)}", priority=2)
            for item, is_own, count, since in zip(
                items.tolist(), rows.found.tolist(), times.tolist(), days.tolist(), strict=True
            )
            if is_own
        }


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _ago(days: int) -> str:
    return {0: "today", 1: "yesterday"}.get(days, f"{days} days ago")
