"""What a user had before and may have again. Shapes: N items, C candidates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray

from configs.schema import Config
from features.core.compiled import compiled
from features.histories import IntArray
from features.interactions import Interactions
from features.own_item_reasons import own_item_reasons
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
        own = profile.own
        block = _own_columns(
            items,
            own.codes,
            own.counts,
            own.decayed,
            own.recent,
            own.days_since,
            own.days_since_first,
            own.mean_gap,
            self.rate,
            self.gap_days,
            profile.num_baskets,
        )
        return dict(zip(self.columns, block, strict=True))

    def reasons(self, items: IntArray, retrieval: Retrieval, wording: Wording) -> Mapping[int, Reason]:
        """See `Retriever.reasons`."""
        return own_item_reasons(items, retrieval.user, wording)


@compiled
def _own_columns(
    items: IntArray,
    codes: IntArray,
    counts: NDArray[np.float32],
    decayed: NDArray[np.float32],
    recent: NDArray[np.float32],
    days_since: NDArray[np.float32],
    days_since_first: NDArray[np.float32],
    mean_gap: NDArray[np.float32],
    rate: NDArray[np.float32],
    gap_days: NDArray[np.float32],
    num_baskets: int,
) -> NDArray[np.float32]:
    """(F, C) the columns of `Repurchase`, in their order; `codes` and what follows are of the user's own
    items."""
    num_decayed, num_recent = decayed.shape[1], recent.shape[1]
    block = np.zeros((num_decayed + num_recent + 8, len(items)), np.float32)
    for place in range(len(items)):
        item = items[place]
        block[-1, place] = rate[item]
        row = np.searchsorted(codes, item)
        if row == len(codes) or codes[row] != item:
            continue
        block[0, place] = 1.0
        block[1, place] = np.log1p(counts[row])
        for column in range(num_decayed):
            block[2 + column, place] = np.log1p(decayed[row, column])
        at = 2 + num_decayed
        block[at, place] = counts[row] / max(num_baskets, 1)
        for column in range(num_recent):
            block[at + 1 + column, place] = np.log1p(recent[row, column])
        at += 1 + num_recent
        block[at, place] = np.log1p(days_since[row])
        block[at + 1, place] = np.log1p(days_since_first[row])
        block[at + 2, place] = overdue(days_since[row], mean_gap[row])
        by_gap = days_since[row] / max(gap_days[item], np.float32(1e-3))
        block[at + 3, place] = min(max(by_gap, 0.0), MAX_OVERDUE)
    return block
