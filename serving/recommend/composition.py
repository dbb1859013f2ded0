"""A list put together: the ranked items with promoted and explored ones among them, page after page.

A page is what one request shows. Each follows from those before it alone, so that a longer list begins with
the shorter one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from serving.recommend.exploration import Explorer
from serving.recommend.promotions import Promoted, spread
from serving.recommend.selectors import Selected


@dataclass(frozen=True)
class Place:
    """One place of a list, and whom it belongs to."""

    item: int
    score: float
    is_filling: bool = False
    """From the fallback"""
    promoted: Promoted | None = None
    propensity: float | None = None
    """The probability with which it was drawn, of an explored item"""


def num_explored(share: float, num_results: int) -> int:
    """Places of a page that are drawn: rounded, and never the first."""
    return min(int(share * num_results + 0.5), num_results - 1)


class Composition:
    """Composes the pages of one list."""

    def __init__(
        self,
        base: Selected,
        promoted: Sequence[Promoted],
        explorer: Explorer | None,
        *,
        exploration: float,
        num_results: int,
    ) -> None:
        """`base` has twice as many items as the list, where there are as many. `num_results` of a page."""
        self._base = [
            Place(item, score, is_filling=place >= base.num_ranked)
            for place, (item, score) in enumerate(zip(base.items.tolist(), base.scores.tolist(), strict=True))
        ]
        self._promoted = [
            [
                Place(item, score, promoted=one)
                for item, score in zip(one.items.tolist(), one.scores.tolist(), strict=True)
            ]
            for one in promoted
        ]
        self._wanted = [one.promotion.num_places(num_results) for one in promoted]
        self._explorer, self._num_results = explorer, num_results
        self._num_explored = num_explored(exploration, num_results) if explorer else 0
        self._shown: set[int] = set()

    @property
    def has_more(self) -> bool:
        """Whether another page would have anything."""
        return any(place.item not in self._shown for place in self._base)

    def page(self) -> list[Place]:
        """The next page."""
        free = list(range(self._num_results))
        by_place: dict[int, Place] = {}
        for wanted, candidates in zip(self._wanted, self._promoted, strict=True):
            found = self._take(candidates, min(wanted, len(free)))
            by_place |= zip(spread(len(found), free=free, num_results=self._num_results), found, strict=True)
        num_explored = min(self._num_explored, len([place for place in free if place]))
        base = self._take(self._base, len(free) - num_explored)
        if self._explorer is not None and (base or by_place):
            self._explorer.leave(self._shown)
            drawn = self._explorer.draw(num_explored)
            found = [Place(item, 0.0, propensity=chance) for item, chance in drawn]
            self._shown.update(item for item, _ in drawn)
            later = free[1:] if free[:1] == [0] else free
            by_place |= zip(spread(len(found), free=later, num_results=self._num_results), found, strict=True)
            base += self._take(self._base, num_explored - len(drawn))
        return self._assembled(by_place, base)

    def _take(self, candidates: list[Place], count: int) -> list[Place]:
        """The next of `candidates` that are not on the list yet."""
        found = [place for place in candidates if place.item not in self._shown][:count]
        self._shown.update(place.item for place in found)
        return found

    def _assembled(self, by_place: dict[int, Place], base: list[Place]) -> list[Place]:
        """A page without holes: what has a place of its own there, and the others in their order between.
        What was drawn is never the first."""
        rest = iter(base)
        every = range(self._num_results)
        holes = [by_place[place] if place in by_place else next(rest, None) for place in every]
        page = [place for place in holes if place is not None]
        first = next((place for place in page if place.propensity is None), None)
        return [first, *(place for place in page if place is not first)] if first else page
