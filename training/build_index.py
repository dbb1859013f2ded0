"""The FAISS index over trained item vectors: exact or HNSW, chosen by size, time and recall measured here."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray

from configs.exceptions import GateError
from configs.schema import ExportConfig
from features.histories import IntArray

RECALL_AT = 100
EF_SEARCH = (64, 128, 256, 512)
"""Breadths of the HNSW search, tried in turn until the recall is reached."""


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


def build_index(vectors: NDArray[np.float32], items: IntArray, queries: NDArray[np.float32], config: ExportConfig) -> BuiltIndex:
    """Index `vectors` (M, D), labelled `items` (M,); measured with `queries` (Q, D).

    Raises GateError when neither kind reaches `export.min_index_recall` (exact search always does, unless the labels are wrong).
    """
    faiss.omp_set_num_threads(1)
    exact = faiss.IndexIDMap2(faiss.IndexFlatIP(vectors.shape[1]))
    exact.add_with_ids(vectors, items.astype(np.int64))
    depth = min(RECALL_AT, len(items))
    truth, exact_ms = _search(exact, queries, depth)
    recall = _recall(truth, _by_hand(vectors, items, queries, depth))
    best = BuiltIndex(exact, "exact", recall, exact_ms, exact_ms)
    if len(items) > config.exact_below:
        best = _hnsw(vectors, items, queries, truth, exact_ms, config) or best
    if best.recall < config.min_index_recall:
        raise GateError(
            f"The index finds {best.recall:.3f} of the true {depth} nearest items, export.min_index_recall is "
            f"{config.min_index_recall:g}. The bundle was not written."
        )
    return best


def _hnsw(
    vectors: NDArray[np.float32],
    items: IntArray,
    queries: NDArray[np.float32],
    truth: NDArray[np.int64],
    exact_ms: float,
    config: ExportConfig,
) -> BuiltIndex | None:
    """The fastest HNSW that reaches the recall, or None when exact search is as fast."""
    graph = faiss.IndexHNSWFlat(vectors.shape[1], 32, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = 200
    index = faiss.IndexIDMap(graph)
    faiss.omp_set_num_threads(os.cpu_count() or 1)
    index.add_with_ids(vectors, items.astype(np.int64))
    faiss.omp_set_num_threads(1)
    for breadth in EF_SEARCH:
        graph.hnsw.efSearch = breadth
        found, milliseconds = _search(index, queries, truth.shape[1])
        recall = _recall(found, truth)
        if recall >= config.min_index_recall:
            return (
                BuiltIndex(index, f"hnsw, efSearch {breadth}", recall, milliseconds, exact_ms)
                if milliseconds < exact_ms
                else None
            )
    return None


def _search(index: faiss.Index, queries: NDArray[np.float32], depth: int) -> tuple[NDArray[np.int64], float]:
    """One query at a time, as in serving: (labels (Q, depth), milliseconds a query)."""
    started = time.perf_counter()
    labels = np.concatenate([index.search(query[None], depth)[1] for query in queries])
    return labels, (time.perf_counter() - started) / len(queries) * 1000


def _by_hand(vectors: NDArray[np.float32], items: IntArray, queries: NDArray[np.float32], depth: int) -> NDArray[np.int64]:
    """The nearest items by a plain matrix product: what the index must find."""
    return np.stack([items[np.argsort(-(vectors @ query), kind="stable")[:depth]] for query in queries]).astype(np.int64)


def _recall(found: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    return float(np.mean([len(np.intersect1d(a, b)) / len(b) for a, b in zip(found, truth, strict=True)]))
