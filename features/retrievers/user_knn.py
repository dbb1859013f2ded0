"""What similar users had lately: neighbours by what both have, from some thousand users. Shapes: U users, N
items.

Source: user-based collaborative filtering, cosine of counts weighted by inverse frequency (Breese et al.
1998, arXiv:1301.7363).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from configs.schema import Config
from features.core.columns import MICROSECONDS_PER_DAY
from features.core.compiled import compiled
from features.core.membership import is_in
from features.core.user_hash import user_hash, user_hashes
from features.histories import History, IntArray
from features.interactions import Interactions
from features.profiles.summed_by_code import summed_by_code
from features.retriever import Column, Reason, Retrieval, Retriever, ScoredItems, UserContext, Wording

MAX_USERS: Final = 5_000
"""The users compared with: bounds the time of a request, whatever the shop's size."""

NUM_NEIGHBOURS: Final = 200
"""How many of them, the nearest, say what they had."""

MAX_ITEMS: Final = 1_000
"""Items of one user that are compared, those with the most events."""


@dataclass(frozen=True)
class UserKNN(Retriever):
    """Items of the nearest users' recent events that this user does not have, each neighbour by
    similarity."""

    name: ClassVar[str] = "user_knn"
    label: ClassVar[str] = "had by similar users"
    num_candidates: ClassVar[int] = 300
    columns: ClassVar[tuple[str, ...]] = ("user_knn_score",)
    shapes: ClassVar[Mapping[str, str]] = {
        "idf": "float N",
        "weights": "float N U",
        "recent": "float U N",
        "users": "hash U",
    }

    idf: NDArray[np.float32]
    """(N,) logarithm of all users by those who have the item, 0 for one that nobody has"""
    weights: sparse.csr_array
    """(N, U) the item's share of each user's vector of length 1"""
    recent: sparse.csr_array
    """(U, N) 1 for the items of each user's recent events"""
    users: NDArray[np.uint64]
    """(U,) hash of each user's key"""

    @classmethod
    def fit(cls, interactions: Interactions, config: Config) -> Self:
        """See `Retriever.fit`. Recent are the events of two recent windows; all, on an ordinal clock."""
        days = 2 * config.retrievers.popularity_days if interactions.has_times else None
        return cls.from_events(
            interactions.users,
            interactions.events,
            num_items=interactions.num_items,
            as_of=interactions.as_of,
            days=days,
            keys=interactions.user_keys(),
        )

    @classmethod
    def from_events(
        cls,
        users: IntArray,
        events: History,
        *,
        num_items: int,
        as_of: int,
        days: float | None,
        keys: Sequence[str],
    ) -> Self:
        """Fit on everyone's target events (E) before `as_of`; recent are those of the `days` before it (None:
        all). `keys` are by user index.

        Of more than `MAX_USERS` users, those with the latest events are kept: they say what is had now.
        """
        past = events.times < as_of
        items, times = events.items[past], events.times[past]
        everyone, number = np.unique(users[past], return_inverse=True)
        kept = _latest_users(number, times, num_users=len(everyone))
        row = np.full(len(everyone), -1)
        row[kept] = np.arange(len(kept))
        user = row[number]
        items, times, user = items[user >= 0], times[user >= 0], user[user >= 0]
        shape = (num_items, len(kept))
        counts = sparse.csr_array((np.ones(len(items)), (items, user)), shape=shape)
        owners = np.diff(counts.indptr)
        idf = np.where(owners > 0, np.log((1 + len(kept)) / np.maximum(owners, 1)), 0.0)
        weights = sparse.csr_array(
            (np.log1p(counts.data) * np.repeat(idf, owners), counts.indices, counts.indptr), shape=shape
        )
        lengths = np.sqrt(np.bincount(weights.indices, weights=weights.data**2, minlength=len(kept)))
        weights.data /= np.maximum(lengths[weights.indices], 1e-9)
        since = as_of - int(days * MICROSECONDS_PER_DAY) if days is not None else np.iinfo(np.int64).min
        lately = times >= since
        recent = sparse.csr_array(
            (np.ones(np.count_nonzero(lately), np.float32), (user[lately], items[lately])),
            shape=(len(kept), num_items),
        )
        recent.data[:] = 1.0  # an item twice counts once
        return cls(
            idf=idf.astype(np.float32),
            weights=weights.astype(np.float32),
            recent=recent,
            users=user_hashes(keys[one] for one in everyone[kept].tolist()),
        )

    def for_user(self, user: UserContext) -> ScoredItems:
        """See `Retriever.for_user`."""
        own = user.profile.own
        return self.scored(own.codes, own.num_events, user=user.user)

    def scored(
        self, items: IntArray, num_events: NDArray[np.int64], *, user: str | None = None
    ) -> ScoredItems:
        """For a user who has `items` so often: the share of the nearest users who had each other item lately.

        Somebody who is in the table is no neighbour of their own: `user` is their key.
        """
        used = items
        if len(items) > MAX_ITEMS:
            most = np.sort(np.argsort(-num_events, kind="stable")[:MAX_ITEMS])
            used, num_events = items[most], num_events[most]
        weights, recent = self.weights, self.recent
        similarity = _similarity(
            used, num_events, self.idf, weights.indptr, weights.indices, weights.data, len(self.users)
        )
        if user is not None:
            similarity[self.users == np.uint64(user_hash(user))] = 0.0
        nearest = np.flatnonzero(similarity)
        if len(nearest) > NUM_NEIGHBOURS:
            nearest = nearest[np.argpartition(-similarity[nearest], NUM_NEIGHBOURS)[:NUM_NEIGHBOURS]]
        if not len(nearest):
            return ScoredItems.none()
        return ScoredItems(
            *_had_by(nearest, similarity, items, recent.indptr, recent.indices, recent.shape[1])
        )

    def features(self, items: IntArray, retrieval: Retrieval) -> Mapping[str, Column]:
        """See `Retriever.features`."""
        return {"user_knn_score": np.log1p(100 * retrieval.for_user.at(items))}

    def reasons(self, items: IntArray, retrieval: Retrieval, wording: Wording) -> Mapping[int, Reason]:
        """The same for all that was proposed: somebody who has an item in common with the user had it."""
        text = f"{wording.done.capitalize()}{wording.lately} by people with items in common"
        reason = Reason("similar_users", text, priority=6)
        return dict.fromkeys(items[is_in(items, retrieval.proposed)].tolist(), reason)


@compiled
def _similarity(
    items: IntArray,
    num_events: NDArray[np.int64],
    idf: NDArray[np.float32],
    indptr: IntArray,
    users: IntArray,
    weights: NDArray[np.float32],
    num_users: int,
) -> NDArray[np.float32]:
    """(U,) dot product of each user's vector with that of a user who has `items` so often. `indptr`, `users`
    and `weights` are the rows by item of `UserKNN.weights`."""
    similarity = np.zeros(num_users, np.float32)
    for place in range(len(items)):
        item = items[place]
        share = np.float32(np.log1p(num_events[place])) * idf[item]
        for entry in range(indptr[item], indptr[item + 1]):
            similarity[users[entry]] += share * weights[entry]
    return similarity


@compiled
def _had_by(
    nearest: NDArray[np.intp],
    similarity: NDArray[np.float32],
    own: IntArray,
    indptr: IntArray,
    items: IntArray,
    num_items: int,
) -> tuple[IntArray, NDArray[np.float32]]:
    """(items ascending, the share of the nearest users who had each lately), without the user's `own`.
    `indptr` and `items` are the rows by user of `UserKNN.recent`."""
    total, size = np.float32(0), 0
    for user in nearest:
        total += similarity[user]
        size += indptr[user + 1] - indptr[user]
    found, weights = np.empty(size, np.int32), np.empty(size, np.float32)
    place = 0
    for user in nearest:
        for entry in range(indptr[user], indptr[user + 1]):
            found[place], weights[place] = items[entry], similarity[user]
            place += 1
    distinct, scores = summed_by_code(found, weights)
    kept = 0
    for place in range(len(distinct)):
        at = np.searchsorted(own, distinct[place])
        if scores[place] > 0 and not (at < len(own) and own[at] == distinct[place]):
            distinct[kept], scores[kept] = distinct[place], scores[place] / total
            kept += 1
    return distinct[:kept], scores[:kept]


def _latest_users(user: NDArray[np.intp], times: NDArray[np.int64], *, num_users: int) -> NDArray[np.intp]:
    """The `MAX_USERS` users (indices, ascending) with the latest events."""
    latest = np.full(num_users, np.iinfo(np.int64).min)
    np.maximum.at(latest, user, times)
    return np.sort(np.argsort(-latest, kind="stable")[:MAX_USERS])
