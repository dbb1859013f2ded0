"""Semantic ids: a few codes an item, so that items that are alike begin alike, and the trie of all of them.

Residual k-means (each level quantises what the levels before it left over) in place of TIGER's RQ-VAE
(Rajput et al., NeurIPS 2023, arXiv:2305.05065); as there, a last code tells colliding items apart.

Shape suffixes: B users of a batch, K codes of a level, M items with an id, N items, V nodes of a depth, X
width of the vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import faiss
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LEVELS: Final = 3
NUM_CODES: Final = 128
_ITERATIONS: Final = 25


@dataclass(frozen=True)
class SemanticIds:
    """The codes of every item, and what they stand for."""

    codes_NL: NDArray[np.int64]
    """One column a level of the quantiser, and the last that tells items apart: no two rows are the same"""
    centroids: Sequence[NDArray[np.float32]]
    """(K, X) of each level of the quantiser"""

    @classmethod
    def of(
        cls,
        vectors_NX: NDArray[np.float32],
        *,
        fitted_on_N: NDArray[np.bool_],
        popularity_N: NDArray[np.float64],
        seed: int,
        levels: int = LEVELS,
        num_codes: int = NUM_CODES,
    ) -> SemanticIds:
        """Codes are fitted on the marked items alone, and every item has one. Of colliding items the more
        popular has the lower last code, so that this code means something, too."""
        rest_NX = np.ascontiguousarray(vectors_NX, np.float32).copy()
        columns, centroids = [], []
        for level in range(levels):
            found_KX = _kmeans(rest_NX[fitted_on_N], num_codes, seed=seed + level)
            code_N = _nearest(rest_NX, found_KX)
            rest_NX -= found_KX[code_N]
            columns.append(code_N)
            centroids.append(found_KX)
        codes_NL = np.stack(columns, axis=1)
        last_N = _place_among_equals(codes_NL, popularity_N)
        return cls(np.column_stack([codes_NL, last_N]), centroids)


def _kmeans(vectors_MX: NDArray[np.float32], num_codes: int, *, seed: int) -> NDArray[np.float32]:
    """(K, X) centroids; fewer than `num_codes` where there are fewer distinct vectors."""
    distinct = len(np.unique(vectors_MX, axis=0)) if len(vectors_MX) <= num_codes else num_codes
    size = min(num_codes, distinct)
    kmeans = faiss.Kmeans(vectors_MX.shape[1], size, niter=_ITERATIONS, seed=seed, min_points_per_centroid=1)
    kmeans.train(vectors_MX)
    assert kmeans.centroids is not None
    centroids: NDArray[np.float32] = kmeans.centroids.reshape(size, -1).copy()
    return centroids


def _nearest(vectors_NX: NDArray[np.float32], centroids_KX: NDArray[np.float32]) -> NDArray[np.int64]:
    index = faiss.IndexFlatL2(centroids_KX.shape[1])
    index.add(centroids_KX)
    nearest: NDArray[np.int64] = index.search(vectors_NX, 1)[1][:, 0]
    return nearest


def _place_among_equals(codes_NL: NDArray[np.int64], popularity_N: NDArray[np.float64]) -> NDArray[np.int64]:
    """(N,) 0, 1, … among the items with the same codes."""
    order = np.lexsort((-popularity_N, *codes_NL.T[::-1]))
    is_new = np.any(np.diff(codes_NL[order], axis=0, prepend=-1) != 0, axis=1)
    starts = np.flatnonzero(is_new)
    place_N = np.empty(len(order), np.int64)
    place_N[order] = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
    return place_N


@dataclass(frozen=True)
class Trie:
    """The ids that exist. Nodes of one depth are in the order of their codes; a leaf is an item."""

    items_M: Tensor
    """Items in the order of their codes"""
    starts: Sequence[Tensor]
    """(V + 1,) of each depth from 0 (the root): the first place in `items_M` under each node"""
    children: Sequence[Tensor]
    """(V, K) of each depth but the last: the child node for each code, -1 where there is none"""
    node_of_item: Sequence[Tensor]
    """(N,) of each depth: the node above each item, -1 for an item without an id"""

    @classmethod
    def of(cls, codes_NL: NDArray[np.int64], *, shown_N: NDArray[np.bool_]) -> Trie:
        """Of the ids of the marked items."""
        items_M = np.flatnonzero(shown_N)
        items_M = items_M[np.lexsort(codes_NL[items_M].T[::-1])]
        codes_ML = codes_NL[items_M]
        starts, children, above = [], [], []
        for depth in range(codes_ML.shape[1] + 1):
            is_first_M = np.zeros(len(items_M), bool)
            is_first_M[:1] = True
            is_first_M[1:] = np.any(codes_ML[1:, :depth] != codes_ML[:-1, :depth], axis=1)
            above.append(np.cumsum(is_first_M) - 1)
            starts.append(np.append(np.flatnonzero(is_first_M), len(items_M)))
        for depth in range(codes_ML.shape[1]):
            table = np.full((len(starts[depth]) - 1, int(codes_NL[:, depth].max()) + 1), -1)
            table[above[depth], codes_ML[:, depth]] = above[depth + 1]
            children.append(torch.from_numpy(table))
        node_of_item = []
        for nodes_M in above:
            node_N = np.full(len(codes_NL), -1)
            node_N[items_M] = nodes_M
            node_of_item.append(torch.from_numpy(node_N))
        firsts = [torch.from_numpy(one) for one in starts]
        return cls(torch.from_numpy(items_M), firsts, children, node_of_item)

    @property
    def depth(self) -> int:
        """Codes of an id."""
        return len(self.children)

    def open_nodes(self, allowed_BN: Tensor) -> Sequence[Tensor]:
        """(B, V) of each depth: whether an item that is allowed lies under the node."""
        counts_BM = allowed_BN[:, self.items_M].cumsum(dim=1, dtype=torch.int32)
        counts_BM = torch.nn.functional.pad(counts_BM, (1, 0))
        return [counts_BM[:, one[1:]] > counts_BM[:, one[:-1]] for one in self.starts]
