"""Items nearest to a query vector, by dot product. Shapes: N items, D width of the vectors."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from configs.schema import Config
from features.core.bundle_files import damaged, read_array, reading, require_shapes
from features.core.grown import grown
from features.core.membership import is_in
from features.core.participles import participles_of_codes
from features.histories import IntArray
from features.interactions import Interactions
from features.query_encoder import GRAPH_FILE, QueryEncoder
from features.retriever import (
    LIVE,
    Column,
    DescribedItems,
    Reason,
    Retrieval,
    Retriever,
    ScoredItems,
    UserContext,
    Wording,
)

VECTORS_FILE = "item_vectors.npy"
INDEX_FILE = "items.faiss"
LIMIT_FILE = "limit.npy"
_ROWS_AT_ONCE = 1000


@dataclass(frozen=True)
class NearestItems(ScoredItems):
    """With the vector that they are near to."""

    query_vector: NDArray[np.float32] | None = None
    """(D,); None without a history"""
    event_types: tuple[int, ...] = ()
    """The distinct codes of the event types that the encoder read"""


@dataclass(frozen=True, eq=False)
class EncoderRetriever(Retriever):
    """The neural encoder that training exported, over a FAISS index whose labels are catalogue indices."""

    name: ClassVar[str] = "encoder"
    label: ClassVar[str] = "neural encoder"
    columns: ClassVar[tuple[str, ...]] = ("encoder_score", "encoder_rank")

    query_encoder: QueryEncoder
    item_vectors: NDArray[np.float32]
    """(N, D); zeros for an item of which nothing was known at the split point"""
    index: faiss.Index
    limit: int
    """How many items a search gives"""
    unindexed: IntArray = field(default_factory=lambda: np.empty(0, np.int32), metadata=LIVE)
    """Items with a vector that the index lacks, since they came later: they are searched one by one"""

    @classmethod
    def fit(cls, interactions: Interactions, config: Config) -> Self:
        """The one that training made: an encoder is fitted by gradient descent, and exported."""
        encoder = interactions.trained[cls.name]
        assert isinstance(encoder, cls)
        return encoder

    def for_user(self, user: UserContext) -> NearestItems:
        """See `Retriever.for_user`."""
        inputs = self.query_encoder.inputs(user)
        query = self.query_encoder.encode(user, self.item_vectors, inputs=inputs)
        if query is None:
            return NearestItems.none()
        items, scores = search_index(self.index, query, num_items=self.limit)
        if len(self.unindexed):
            items, scores = self._with_unindexed(query, items, scores)
        order = np.argsort(items)
        return NearestItems(
            items=items[order],
            scores=scores[order],
            ranked=items,
            query_vector=query,
            event_types=tuple(set(inputs.event_types.tolist())),
        )

    def grown(self, num_items: int, *, new: IntArray) -> Self:
        """See `Retriever.grown`: without a vector, until `described` gives them one."""
        size = grown({"vectors": self.item_vectors}, {"vectors": "float N D"}, num_items=num_items)
        return replace(self, item_vectors=size["vectors"])

    def described(self, new: DescribedItems) -> Self:
        """See `Retriever.described`. No search finds a vector of zeros."""
        longer = self.item_vectors.copy()
        longer[new.items] = new.vectors
        found = new.items[new.vectors.any(axis=1)]
        return replace(
            self, item_vectors=longer, unindexed=np.union1d(self.unindexed, found).astype(np.int32)
        )

    def nearest(self, items: IntArray, *, count: int) -> IntArray:
        """(N, `count`) the items whose vectors have the largest dot products with those of `items` (M,); -1
        in the rows of others."""
        found = np.full((len(self.item_vectors), count), -1, np.int32)
        has_vector = items[self.item_vectors[items].any(axis=1)]
        for start in range(0, len(has_vector), _ROWS_AT_ONCE):
            rows = has_vector[start : start + _ROWS_AT_ONCE]
            found[rows] = self.index.search(np.asarray(self.item_vectors)[rows], count)[1]
        return found

    def _with_unindexed(
        self, query: NDArray[np.float32], items: IntArray, scores: NDArray[np.float32]
    ) -> tuple[IntArray, NDArray[np.float32]]:
        """The best of what the index found and of what it lacks, best first."""
        items = np.concatenate([items, self.unindexed])
        scores = np.concatenate([scores, self.item_vectors[self.unindexed] @ query])
        best = np.argsort(-scores, kind="stable")[: self.limit]
        return items[best], scores[best]

    def deeper(
        self, user: UserContext, found: ScoredItems, *, allowed: NDArray[np.bool_], count: int
    ) -> ScoredItems:
        """See `Retriever.deeper`: an exact search over what is allowed."""
        if not isinstance(found, NearestItems) or found.query_vector is None:
            return found
        items = np.flatnonzero(allowed).astype(np.int32)
        scores = self.item_vectors[items] @ found.query_vector
        best = np.argsort(-scores, kind="stable")[:count]
        ascending = np.sort(best)
        return replace(found, items=items[ascending], scores=scores[ascending], ranked=items[best])

    def alone(self, user: UserContext, found: ScoredItems, *, count: int) -> IntArray:
        """See `Retriever.alone`: a search as deep as it takes."""
        if not isinstance(found, NearestItems) or found.query_vector is None:
            return np.empty(0, np.int32)
        return search_index(self.index, found.query_vector, num_items=count)[0]

    def features(self, items: IntArray, retrieval: Retrieval) -> Mapping[str, Column]:
        """See `Retriever.features`: every candidate has them, whoever proposed it."""
        found = retrieval.for_user
        if not isinstance(found, NearestItems) or found.query_vector is None:
            return {"encoder_score": 0.0, "encoder_rank": 0.0}
        scores = self.item_vectors.take(items, axis=0) @ found.query_vector
        rank = np.empty(len(items), np.float32)
        rank[np.argsort(-scores, kind="stable")] = np.arange(len(items))
        return {"encoder_score": scores, "encoder_rank": 1.0 / np.sqrt(1.0 + rank)}

    def reasons(self, items: IntArray, retrieval: Retrieval, wording: Wording) -> Mapping[int, Reason]:
        """The same for all of the nearest: it names what the encoder has read."""
        found = retrieval.for_user
        if not isinstance(found, NearestItems) or found.query_vector is None:
            return {}
        words = participles_of_codes(found.event_types, word="and")
        reason = Reason("for_you", f"Fits what was {words}", priority=5)
        return dict.fromkeys(items[is_in(items, found.items)].tolist(), reason)

    def save(self, folder: Path) -> None:
        """The graph with its settings, the vectors and the index."""
        folder.mkdir(parents=True, exist_ok=True)
        self.query_encoder.save(folder)
        np.save(folder / VECTORS_FILE, self.item_vectors)
        np.save(folder / LIMIT_FILE, np.array(self.limit))
        faiss.write_index(self.index, str(folder / INDEX_FILE))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the files of `save`. Raises ArtefactError."""
        faiss.omp_set_num_threads(1)
        with reading(folder / INDEX_FILE):
            index = faiss.read_index(str(folder / INDEX_FILE))
        with reading(folder / LIMIT_FILE):
            limit = operator.index(read_array(folder / LIMIT_FILE).item())
        return cls(
            query_encoder=QueryEncoder.load(folder),
            item_vectors=read_array(folder / VECTORS_FILE),
            index=index,
            limit=limit,
        )

    def require_shapes(self, folder: Path, *, num_items: int) -> None:
        """See `Retriever.require_shapes`: the vectors, the index and the graph are of one width."""
        vectors, index, width = self.item_vectors, self.index, self.query_encoder.width
        require_shapes(folder, vars(self), {"item_vectors": "float N D"}, sizes={"N": num_items})
        if index.d != vectors.shape[1] or index.ntotal > num_items:
            raise damaged(
                folder / INDEX_FILE,
                f"it has {index.ntotal} vectors of width {index.d}, and the items are {vectors.shape}",
            )
        if width not in (None, vectors.shape[1]):
            raise damaged(folder / GRAPH_FILE, f"it reads vectors of width {width}, not {vectors.shape[1]}")
        if self.limit < 1:
            raise damaged(folder / LIMIT_FILE, f"it is {self.limit}")


def search_index(
    index: faiss.Index, query: NDArray[np.float32], *, num_items: int
) -> tuple[IntArray, NDArray[np.float32]]:
    """The `num_items` best for one query vector (D,): (items, dot products), best first; fewer when the index
    is small."""
    scores, labels = index.search(query[None], num_items)
    found = labels[0] >= 0
    return labels[0][found].astype(np.int32), scores[0][found]
