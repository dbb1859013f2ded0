"""Why an item is in a list, in a code for programs and a sentence for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from features.cooccurrence import Neighbours
from features.histories import IntArray
from serving.answer import Reason, Recommendation
from serving.bundle import Bundle

if TYPE_CHECKING:
    from serving.pipeline import Ranked


def explain(item: int, score: float, *, ranked: Ranked | None, bundle: Bundle) -> Recommendation:
    """A recommendation with its reasons, the strongest first; `source` is the source behind the first.

    Without `ranked` the item stands for its popularity alone.
    """
    reasons = _reasons(item, ranked=ranked, bundle=bundle) if ranked else []
    reasons = reasons or [Reason("popular", "Popular in the shop lately")]
    return Recommendation(item=item, score=score, source=_SOURCE[reasons[0].code], reasons=tuple(reasons[:2]))


_SOURCE = {"bought_before": "repeats", "goes_with": "together", "for_you": "encoder", "popular": "popular"}


def _reasons(item: int, *, ranked: Ranked, bundle: Bundle) -> list[Reason]:
    tables, signals, person = bundle.tables, ranked.signals, ranked.person
    reasons = []
    companion = _companion(item, among=signals.context_items, neighbours=tables.in_baskets)
    if companion is not None:
        reasons.append(Reason("goes_with", f"Goes with {bundle.titles[companion]}", companion))
    place = int(np.searchsorted(person.own.items, item))
    if place < len(person.own) and person.own.items[place] == item:
        times, days = int(person.own.counts[place]), int(person.own.days_since[place])
        reasons.append(Reason("bought_before", f"Bought {_times(times)}, last {_ago(days)}"))
    elif companion is None:
        companion = _companion(item, among=person.recent_items, neighbours=tables.in_baskets)
        if companion is not None:
            reasons.append(Reason("goes_with", f"Often bought with {bundle.titles[companion]}", companion))
    if item in signals.nearest:
        reasons.append(Reason("for_you", "Fits what was bought lately"))
    return reasons


def _companion(item: int, *, among: IntArray, neighbours: Neighbours) -> int | None:
    """The item of `among` that goes best with `item`, or None."""
    scores = np.where(neighbours.items[among] == item, neighbours.scores[among], 0).max(axis=1, initial=0)
    return int(among[np.argmax(scores)]) if len(among) and scores.max() > 0 else None


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _ago(days: int) -> str:
    return {0: "today", 1: "yesterday"}.get(days, f"{days} days ago")
