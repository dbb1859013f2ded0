"""Items that could stand in for another.

Shapes: N items, M new ones, J looked at, K neighbours, D width of the vectors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray

from configs.schema import Config
from features.core.compiled import compiled
from features.histories import IntArray
from features.interactions import Interactions
from features.neighbour_table import NeighbourTable, content_table, entered
from features.profiles.content_neighbours import MIN_SIMILARITY, variant_codes
from features.profiles.item_neighbours import Neighbours, insert_best
from features.profiles.item_popularity import popularity
from features.retriever import DescribedItems, ScoredItems, UserContext
from features.retrievers.co_occurrence import CoOccurrence
from features.retrievers.encoder import EncoderRetriever

POOL: Final = 3
"""Neighbours in content that are looked at for each that is kept"""

SESSION_WEIGHT: Final = 2.0
"""Of the cosine of two items' sessions, beside that of what the catalogue says of them"""

VECTOR_WEIGHT: Final = 0.1
"""Of the cosine of two items' vectors by itself: it orders what the catalogue does not describe, and leads to
what is bought with an item as often as to what is bought in its place"""

EXPECTED_COSINE: Final = 0.25
"""Of the vectors of two items that are described alike, where nobody has had one of them: the mean of the
twelve most alike is .20 on Amazon Beauty, .28 on Complete Journey"""


@dataclass(frozen=True)
class Similar(NeighbourTable):
    """Alike in what the catalogue says, and the more so the nearer their vectors are, the oftener they stand
    in one session and the more people want the other one. How it was weighed:
    docs/decisions/0024-similar-items.md."""

    name: ClassVar[str] = "similar"
    label: ClassVar[str] = "similar"
    is_general: ClassVar[bool] = False
    shapes: ClassVar[Mapping[str, str]] = {**NeighbourTable.shapes, "popularity": "float N"}

    popularity: NDArray[np.float32]
    """(N,) the logarithm of what sold in the recent window, as a share of that of the most popular item"""

    @classmethod
    def fit(cls, interactions: Interactions, config: Config) -> Self:
        """See `Retriever.fit`. Without an encoder, vectors say nothing."""
        count = config.retrievers.num_neighbours
        content = content_table(interactions, count=POOL * count)
        sessions = CoOccurrence.fit(interactions, config)
        encoder = interactions.trained.get(EncoderRetriever.name)
        vectors = np.zeros((interactions.num_items, 1), np.float32)
        nearest = np.empty((interactions.num_items, 0), np.int32)
        if isinstance(encoder, EncoderRetriever):
            vectors = _unit(encoder.item_vectors)
            is_short = (content.items[:, :count] < 0).any(axis=1)
            nearest = encoder.nearest(np.flatnonzero(is_short).astype(np.int32), count=count)
        items = np.full((interactions.num_items, count), -1, np.int32)
        scores = np.zeros((interactions.num_items, count), np.float32)
        known = _relative_popularity(interactions, config)
        _combine(
            (content.items, content.scores),
            (sessions.items, sessions.scores),
            nearest,
            vectors,
            known,
            variant_codes(interactions.catalogue(), interactions.num_items),
            items,
            scores,
        )
        return cls(items=items, scores=scores, popularity=known)

    def for_user(self, user: UserContext) -> ScoredItems:
        """Nothing: an item stands in for one that is on the page."""
        return ScoredItems.none()

    def described(self, new: DescribedItems) -> Self:
        """See `Retriever.described`: cosine and popularity are what is to be expected."""
        near, known = new.neighbours, np.array(self.popularity)
        expected = near.scores * np.float32(1 + EXPECTED_COSINE)
        theirs = np.where(near.items >= 0, known[near.items], np.float32(0))  # (M, K)
        known[new.items] = (near.scores * theirs).sum(axis=1) / np.maximum(near.scores.sum(axis=1), 1e-9)
        order = np.argsort(-expected * (1 + theirs), axis=1, kind="stable")
        rows = Neighbours(
            items=np.take_along_axis(near.items, order, axis=1),
            scores=np.take_along_axis(expected * (1 + theirs), order, axis=1),
        )
        near = Neighbours(items=near.items, scores=expected * (1 + known[new.items, None]))
        found = entered(self.neighbours, new.items, near=near, rows=rows)
        return replace(self, items=found.items, scores=found.scores, popularity=known)


def _relative_popularity(interactions: Interactions, config: Config) -> NDArray[np.float32]:
    logs = np.log1p(
        popularity(
            interactions.events,
            weights=interactions.weights,
            num_items=interactions.num_items,
            as_of=interactions.as_of,
            days=config.retrievers.popularity_days if interactions.has_times else None,
        )
    )
    return (logs / max(float(logs.max(initial=0)), 1e-9)).astype(np.float32)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, D) of length 1, or 0."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    found: NDArray[np.float32] = (vectors / np.maximum(lengths, 1e-9)).astype(np.float32)
    return found


@compiled
def _combine(
    content: tuple[IntArray, NDArray[np.float32]],
    sessions: tuple[IntArray, NDArray[np.float32]],
    nearest: IntArray,
    vectors: NDArray[np.float32],
    popularity: NDArray[np.float32],
    variants: IntArray,
    items: IntArray,
    scores: NDArray[np.float32],
) -> None:
    """Write the best of each item into `items` and `scores` (N, K), of what the three tables (N, J) have for
    it: (content × (1 + cosine) + `SESSION_WEIGHT` × sessions + `VECTOR_WEIGHT` × cosine) × (1 +
    popularity). Where the catalogue has enough for it, nothing else is looked at: what only sells with an
    item does not stand in for it."""
    alike, together = np.zeros(len(items), np.float32), np.zeros(len(items), np.float32)
    is_seen = np.zeros(len(items), np.bool_)
    seen = np.empty(content[0].shape[1] + sessions[0].shape[1] + nearest.shape[1], np.int32)
    for row in range(len(items)):
        num_seen = 0
        has_enough = content[0].shape[1] > 0 and content[0][row, -1] >= 0
        for table in range(3):
            found = content[0][row] if table == 0 else sessions[0][row] if table == 1 else nearest[row]
            for column in range(len(found)):
                item = found[column]
                if item < 0 or item == row or (variants[row] > 0 and variants[item] == variants[row]):
                    continue
                if not is_seen[item]:
                    if table > 0 and has_enough:
                        continue
                    is_seen[item], seen[num_seen] = True, item
                    num_seen += 1
                if table == 0:
                    alike[item] = content[1][row, column]
                elif table == 1:
                    together[item] = sessions[1][row, column]
        for item in seen[:num_seen]:
            cosine = _positive_product(vectors[row], vectors[item])
            score = alike[item] * (1 + cosine) + SESSION_WEIGHT * together[item] + VECTOR_WEIGHT * cosine
            if score >= MIN_SIMILARITY:
                insert_best(items[row], scores[row], item, score * (1 + popularity[item]))
            alike[item], together[item], is_seen[item] = 0.0, 0.0, False


@compiled
def _positive_product(one: NDArray[np.float32], other: NDArray[np.float32]) -> np.float32:
    """The dot product of two vectors (D,), or 0."""
    product = np.float32(0.0)
    for place in range(len(one)):
        product += one[place] * other[place]
    return max(product, np.float32(0.0))
