"""What is popular among people of whom the same is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from configs.schema import Config
from features.core.membership import is_in
from features.histories import IntArray
from features.interactions import Interactions
from features.profiles.user_groups import Groups, WindowEvents, all_groups, attribute_keys, context_keys
from features.retriever import Reason, Retrieval, Retriever, ScoredItems, UserContext, Wording

MIN_PEOPLE: Final = 10
"""A group of fewer people says nothing, and is not kept."""

PRIOR: Final = 50.0
"""As many people of the whole shop stand beside each group."""

MAX_ITEMS: Final = 500
"""Items that are kept of each group, and of the whole, those that most people had"""

_MAX_KEPT: Final = 4_096
"""Lists that are kept, one for each combination of groups"""


@dataclass(frozen=True)
class PopularAmong(Retriever):
    """Popularity by what is known of somebody: attributes of users, and the country, channel, device and
    campaign of a request; what is popular with everybody where nothing is known.

    The share of a group g that had item i lately, steadied by that of all people p_i, is
    (n_gi + a · p_i) / (n_g + a), in people (Dirichlet prior, Zhai & Lafferty, ACM TOIS 22(2), 2004). The
    score is the item's popularity times the mean over somebody's groups of that share against p_i.
    """

    name: ClassVar[str] = "popular_among"
    label: ClassVar[str] = "popular among people of whom the same is known"
    is_general: ClassVar[bool] = False
    shapes: ClassVar[Mapping[str, str]] = {
        "recent": "float N",
        "share": "float N",
        "groups": "hash G",
        "num_people": "float G",
        "had": "float G N",
    }

    recent: NDArray[np.float32]
    """(N,) summed weight of the target events in the recent window, as `popularity` has it"""
    share: NDArray[np.float32]
    """(N,) of all people who had anything lately, those who had the item"""
    groups: NDArray[np.uint64]
    """(G,) ascending, see `user_groups`"""
    num_people: NDArray[np.float32]
    """(G,) `MIN_PEOPLE` or more"""
    had: sparse.csr_array
    """(G, N) how many of them had an item"""

    @classmethod
    def fit(cls, interactions: Interactions, config: Config) -> Self:
        """See `Retriever.fit`. In the recent window; all of the past on an ordinal clock."""
        days = config.retrievers.popularity_days if interactions.has_times else None
        window = WindowEvents.of(interactions, days=days)
        people, had = window.had(np.zeros(len(window.users), np.int32))
        share = had.toarray()[0] / people[0] if len(people) else np.zeros(interactions.num_items)
        found = [_kept(one) for one in all_groups(interactions, window)]
        groups = np.concatenate([np.empty(0, np.uint64), *(one.keys for one in found)])
        order = np.argsort(groups, kind="stable")
        rows = [sparse.csr_array((0, interactions.num_items), dtype=np.float32), *(one.had for one in found)]
        return cls(
            recent=np.bincount(window.items, window.weights, interactions.num_items).astype(np.float32),
            share=share.astype(np.float32),
            groups=groups[order],
            num_people=np.concatenate([np.empty(0, np.float32), *(one.num_people for one in found)])[order],
            had=sparse.csr_array(sparse.vstack(rows, format="csr")[order]),
        )

    def for_user(self, user: UserContext) -> ScoredItems:
        """See `Retriever.for_user`; the whole shop's popularity for a user of whom nothing is known."""
        places = self._places(user)
        if not places:
            return self._everybody
        found = self._lists.get(places)
        if found is None:
            found = self._scored(places, self._best_of_all)
            if len(self._lists) >= _MAX_KEPT:
                self._lists.clear()
            self._lists[places] = found
        return found

    def deeper(
        self, user: UserContext, found: ScoredItems, *, allowed: NDArray[np.bool_], count: int
    ) -> ScoredItems:
        """See `Retriever.deeper`."""
        places = self._places(user)
        if not places:
            return found
        return self._scored(places, np.flatnonzero(allowed & (self.recent > 0)).astype(np.int32))

    def reasons(self, items: IntArray, retrieval: Retrieval, wording: Wording) -> Mapping[int, Reason]:
        """What somebody of a group of the user had is popular there; the rest is in the shop."""
        proposed = items[is_in(items, retrieval.proposed)]
        of_groups = {
            item
            for place in self._places(retrieval.user)
            for item in proposed[is_in(proposed, self._row(place))].tolist()
        }
        among = Reason("popular_among", f"Popular{wording.lately} among people like you", priority=8)
        rest = Reason("popular", f"Popular in the shop{wording.lately}")
        return {item: among if item in of_groups else rest for item in proposed.tolist()}

    def _places(self, user: UserContext) -> tuple[int, ...]:
        """The places of the user's groups in `groups`."""
        if not len(self.groups) or not (len(user.attributes) or user.context):
            return ()
        keys = [*attribute_keys(user.attributes), *context_keys(user.context)]
        return tuple(self._place_of[key] for key in keys if key in self._place_of)

    def _scored(self, places: tuple[int, ...], besides: IntArray) -> ScoredItems:
        """What the groups at `places` had, and the items `besides`."""
        rows = [self._row(place) for place in places]
        items = np.unique(np.concatenate([*rows, besides])).astype(np.int32)
        totals = [(float(self.num_people[place]) + PRIOR) * len(places) for place in places]
        scores = self.share[items] * np.float32(sum(PRIOR / total for total in totals))
        for place, row, total in zip(places, rows, totals, strict=True):
            first = self.had.indptr[place]
            scores[np.searchsorted(items, row)] += self.had.data[first : first + len(row)] / np.float32(total)
        lift = scores / np.maximum(self.share[items], np.float32(1e-12))
        return ScoredItems(items=items, scores=(self.recent[items] * lift).astype(np.float32))

    def _row(self, place: int) -> IntArray:
        row: IntArray = self.had.indices[self.had.indptr[place] : self.had.indptr[place + 1]]
        return row

    @cached_property
    def _everybody(self) -> ScoredItems:
        items = np.flatnonzero(self.recent).astype(np.int32)
        scores = np.asarray(self.recent)[items]
        return ScoredItems(items=items, scores=scores, ranked=items[np.argsort(-scores, kind="stable")])

    @cached_property
    def _best_of_all(self) -> IntArray:
        return self._everybody.best(MAX_ITEMS)

    @cached_property
    def _place_of(self) -> dict[int, int]:
        return {key: place for place, key in enumerate(self.groups.tolist())}

    @cached_property
    def _lists(self) -> dict[tuple[int, ...], ScoredItems]:
        return {}


def _kept(groups: Groups) -> Groups:
    """Those of `MIN_PEOPLE` or more, each with the `MAX_ITEMS` that most of them had."""
    is_large = groups.num_people >= MIN_PEOPLE
    had = sparse.csr_array(groups.had[np.flatnonzero(is_large)])
    row = np.repeat(np.arange(had.shape[0]), np.diff(had.indptr))
    order = np.lexsort((had.indices, -had.data, row))
    rank = np.arange(len(order)) - had.indptr[row[order]]
    best = np.sort(order[rank < MAX_ITEMS])
    kept = sparse.csr_array((had.data[best], (row[best], had.indices[best])), shape=had.shape)
    return Groups(groups.keys[is_large], groups.num_people[is_large], kept)
