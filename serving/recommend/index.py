"""Nearest items by dot product: a FAISS index over the item vectors that were known at `as_of`."""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from features.histories import IntArray


class Index:
    """An index whose labels are catalogue indices."""

    def __init__(self, index: faiss.Index) -> None:
        self._index = index

    @classmethod
    def load(cls, path: Path) -> Index:
        faiss.omp_set_num_threads(1)
        return cls(faiss.read_index(str(path)))

    def search(self, query: NDArray[np.float32], *, num_items: int) -> tuple[IntArray, NDArray[np.float32]]:
        """The `num_items` best for one query vector (D,): (items, dot products), best first; fewer when the
        index is small."""
        scores, labels = self._index.search(query[None], num_items)
        found = labels[0] >= 0
        return labels[0][found].astype(np.int32), scores[0][found]
