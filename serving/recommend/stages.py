"""Makes the trace of a list from what the pipeline knows when the list is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.histories import IntArray
from serving.recommend.filter import Filter
from serving.recommend.trace import ItemTrace, Stage, Trace

_ORDINALS: Final = {1: "st", 2: "nd", 3: "rd"}


@dataclass(frozen=True)
class Stages:
    """What a pipeline knows when its list is done. Shapes: N items of the catalogue, C candidates."""

    proposed: Mapping[str, IntArray]
    """Retriever of the surface → what it proposed"""
    scored: IntArray
    """(C,) what the first pass kept and the ranker scored"""
    scored_by: str
    """`ranker`, or the fallback for somebody of whom nothing is known"""
    removed: Mapping[type[Filter], NDArray[np.bool_]]
    """Filter → (N,) what it takes away"""
    in_order: IntArray
    """The candidates that the filters leave, best first"""
    shown: Sequence[int]
    """The list down to the last place of the page"""
    offset: int
    """Places of earlier pages"""
    fallback: str | None
    num_filled: int
    """Places of the page that the fallback filled"""
    num_promoted: Mapping[str, int]
    """Promotion → its places on the page"""
    num_explored: int
    """Places of the page that were drawn"""
    diversity: float

    def trace(self, wanted: Sequence[int]) -> Trace:
        """The trace, with what became of the items `wanted`."""
        ranks = {item: rank for rank, item in enumerate(self.shown, start=1)}
        return Trace(tuple(self._stages()), {item: self._item(item, ranks.get(item)) for item in wanted})

    @property
    def _page(self) -> Sequence[int]:
        return self.shown[self.offset :]

    def _stages(self) -> list[Stage]:
        found = [Stage("retriever", name, len(items)) for name, items in self.proposed.items()]
        found.append(Stage("first_pass", None, len(self.scored)))
        found.append(Stage("ranker", self.scored_by, len(self.scored)))
        left = self.scored
        for one, removed in self.removed.items():
            is_removed = removed[left]
            found.append(Stage("filter", one.name, int(np.count_nonzero(is_removed))))
            left = left[~is_removed]
        if self.fallback is not None:
            found.append(Stage("fallback", self.fallback, self.num_filled))
        found += [Stage("promotion", name, number) for name, number in self.num_promoted.items()]
        if self.num_explored:
            found.append(Stage("exploration", None, self.num_explored))
        return [*found, Stage("list", None, len(self._page))]

    def _item(self, item: int, rank: int | None) -> ItemTrace:
        if rank is not None:
            where = "on an earlier page" if rank <= self.offset else "on the list"
            return ItemTrace("list", f"is {where} at rank {rank}", rank)
        if reasons := [one.reason for one, removed in self.removed.items() if removed[item]]:
            return ItemTrace("filter", " and ".join(reasons))
        proposing = [name for name, items in self.proposed.items() if item in items]
        if not proposing:
            return ItemTrace("retriever", "no retriever of the surface proposes it")
        if item not in self.scored:
            kept = f"the {len(self.scored)} candidates that the first pass keeps for the ranker"
            return ItemTrace("first_pass", f"{', '.join(proposing)} proposed it, but it is not among {kept}")
        place = int(np.flatnonzero(self.in_order == item)[0]) + 1
        if place > len(self.shown):
            return ItemTrace(
                "ranker", f"was ranked {ordinal(place)}, below the list's {len(self.shown)} places"
            )
        gave_way = {
            "diversity": "items that are less alike" if self.diversity else None,
            "promotion": "what is promoted" if self.num_promoted else None,
            "exploration": "what was drawn" if self.num_explored else None,
        }
        others = {stage: words for stage, words in gave_way.items() if words}
        why = f"was ranked {ordinal(place)}, and gave way to {' or '.join(others.values())}"
        return ItemTrace(next(iter(others)), why)


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th, 11th."""
    ending = "th" if number // 10 % 10 == 1 else _ORDINALS.get(number % 10, "th")
    return f"{number}{ending}"
