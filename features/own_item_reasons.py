"""How often and how lately a user had an item, in words. Shapes: C items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.core.columns import EVENT_TYPES
from features.core.compiled import compiled
from features.core.participles import PARTICIPLES, PLACE
from features.histories import IntArray, TimeArray
from features.retriever import Reason, UserContext, Wording

MICROSECONDS_PER_HOUR: Final = 3_600_000_000


def own_item_reasons(items: IntArray, user: UserContext, wording: Wording) -> Mapping[int, Reason]:
    """Of those of `items` (C,) that are the user's own: how often and how lately, of the event type that says
    most, purchases where there are any."""
    profile = user.profile
    code, often, last = _said_most(
        items, profile.target_items, profile.target_event_types, profile.target_times, PLACE
    )
    found = zip(items.tolist(), code.tolist(), often.tolist(), (user.as_of - last).tolist(), strict=True)
    return {
        item: _reason(EVENT_TYPES[code], often, ago, wording) for item, code, often, ago in found if often
    }


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
    when = f", last {days_or_hours_ago(ago)}" if wording.has_times else ""
    code = "bought_before" if event_type == "purchase" else "chosen_before"
    return Reason(code, f"{PARTICIPLES[event_type].capitalize()} {often}{when}", priority=2)


def days_or_hours_ago(microseconds: int) -> str:
    """Hours below two days, so that it is true in every time zone: what is `yesterday` depends on it."""
    hours = microseconds // MICROSECONDS_PER_HOUR
    if hours < 48:
        return f"{hours} hour{'' if hours == 1 else 's'} ago" if hours else "within the hour"
    return f"{hours // 24} days ago"
