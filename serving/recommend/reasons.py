"""Why an item is in a list, in a code for programs and a sentence for people. Shapes: A items to go with, K
neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from features.histories import IntArray
from features.retrievers.item_neighbours import Neighbours
from serving.recommend.bundle import Bundle
from serving.recommend.request import Reason, Recommendation, no_items

if TYPE_CHECKING:
    from serving.recommend.pipeline import Chosen, Ranked


def explain(chosen: Chosen, *, ranked: Ranked, bundle: Bundle) -> tuple[Recommendation, ...]:
    """Every item of a list with its reasons, the strongest first; `source` is the source behind the first.

    What fills the list after the ranked items stands there for its popularity alone.
    """
    reasons = _reasons(chosen.items[: chosen.num_ranked], ranked=ranked, bundle=bundle)
    reasons += [[_POPULAR]] * (len(chosen.items) - chosen.num_ranked)
    return tuple(
        Recommendation(item=item, score=score, source=_SOURCE[why[0].code], reasons=tuple(why[:2]))
        for item, score, why in zip(chosen.items.tolist(), chosen.scores.tolist(), reasons, strict=True)
    )


_POPULAR = Reason("popular", "Popular in the shop lately")
_SOURCE = {
    "bought_before": "repeats",
    "goes_with": "together",
    "for_you": "encoder",
    "people_alike": "people",
    "popular": "popular",
}


def _reasons(items: IntArray, *, ranked: Ranked, bundle: Bundle) -> list[list[Reason]]:
    neighbours, own = bundle.tables.in_baskets, ranked.person.own
    verb = "Bought" if bundle.settings.history.target_event_types == ("purchase",) else "Chosen"
    goes_with = companions(items, among=ranked.signals.context_items, neighbours=neighbours)
    bought_with = companions(items, among=ranked.person.recent_items, neighbours=neighbours)
    bought_after = companions(
        items, among=ranked.person.recent_items, neighbours=bundle.tables.in_next_baskets
    )
    nearest = set(ranked.signals.nearest.tolist())
    had_by_others = set(ranked.candidates.proposed_by.get("people", no_items()).tolist())
    listed = []
    for item, place in zip(items.tolist(), np.searchsorted(own.items, items).tolist(), strict=True):
        reasons = []
        if item in goes_with:
            reasons.append(
                Reason("goes_with", f"Goes with {bundle.titles[goes_with[item]]}", goes_with[item])
            )
        if place < len(own) and own.items[place] == item:
            times, days = int(own.num_events[place]), int(own.days_since[place])
            reasons.append(Reason("bought_before", f"{verb} {_times(times)}, last {_ago(days)}"))
        elif item in bought_with and item not in goes_with:
            reasons.append(
                Reason(
                    "goes_with", f"Often bought with {bundle.titles[bought_with[item]]}", bought_with[item]
                )
            )
        elif item in bought_after and item not in goes_with:
            reasons.append(
                Reason(
                    "goes_with", f"Often bought after {bundle.titles[bought_after[item]]}", bought_after[item]
                )
            )
        if item in nearest:
            reasons.append(Reason("for_you", "Fits what was bought lately"))
        if item in had_by_others:
            reasons.append(Reason("people_alike", f"{verb} lately by people with much the same taste"))
        listed.append(reasons or [_POPULAR])
    return listed


def companions(items: IntArray, *, among: IntArray, neighbours: Neighbours) -> dict[int, int]:
    """Item → the item of `among` that goes best with it, the earlier of equals; without those that go with
    none of them."""
    near_AK, scores_AK = neighbours.items.take(among, axis=0), neighbours.scores.take(among, axis=0)
    row, column = np.nonzero(np.isin(near_AK, items) & (scores_AK > 0))
    found = near_AK[row, column]
    order = np.lexsort((row, -scores_AK[row, column], found))
    distinct, first = np.unique(found[order], return_index=True)
    return dict(zip(distinct.tolist(), among[row[order[first]]].tolist(), strict=True))


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _ago(days: int) -> str:
    return {0: "today", 1: "yesterday"}.get(days, f"{days} days ago")
