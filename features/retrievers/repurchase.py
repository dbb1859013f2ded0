"""What a user had before and may have again. Shapes: N items, C candidates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray

from configs.schema import Config
from features.core.columns import EVENT_TYPES
from features.core.compiled import compiled
from features.core.participles import PARTICIPLES, PLACE
from features.histories import IntArray, TimeArray
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
        """How often and how lately, of the event type that says most: purchases where there are any."""
        profile = retrieval.user.profile
        code, often, last = _said_most(
            items, profile.target_items, profile.target_event_types, profile.target_times, PLACE
        )
        ago = retrieval.user.as_of - last
        found = zip(items.tolist(), code.tolist(), often.tolist(), ago.tolist(), strict=True)
        return {
            item: _reason(EVENT_TYPES[code], often, ago, wording) for item, code, often, ago in found if often
        }


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


@compiled
def _said_most(
    items: IntArray,
    target_items: IntArray,
    event_types: NDArray[np.int8],
    times: TimeArray,
    places: NDArray[np.int64],
) -> tuple[NDArray[np.int8], NDArray[np.int64], TimeArray]:
    """Of each of `items` (C,): the event type that says most (with the lowest of `places`, by code), how
    often (0: never) and when last."""
    code, often = np.zeros(len(items), np.int8), np.zeros(len(items), np.int64)
    last = np.zeros(len(items), np.int64)
    for place in range(len(items)):
        for event in range(len(target_items)):
            if target_items[event] != items[place]:
                continue
            found = event_types[event]
            if not often[place] or places[found] < places[code[place]]:
                code[place], often[place], last[place] = found, 1, times[event]
            elif places[found] == places[code[place]]:
                code[place] = found
                often[place] += 1
                last[place] = max(last[place], times[event])
    return code, often, last


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
