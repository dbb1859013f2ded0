"""Which items are described alike: for lists of similar items, and for a product that nobody has touched.

Shapes: N items, M described ones, T terms, K neighbours, D width of the vectors.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from features.core.columns import ITEM_GROUP_ID
from features.core.compiled import compiled
from features.histories import IntArray
from features.profiles.content_terms import ROW, TERM, content_terms
from features.profiles.item_neighbours import Neighbours, insert_best

NUM_FOR_VECTOR: Final = 20
"""Neighbours whose mean is the vector of an item that has none"""

MAX_VISITS: Final = 10_000
"""Items that are looked at for one row: its rare terms come first, and of more items than that the most
common terms are left out. They weigh next to nothing, and all items have them: in a catalogue of 100,000
items a first level of the category alone would be compared with half of the shop."""

MIN_SIMILARITY: Final = 0.05
"""A smaller cosine is no likeness that a list may speak of: a brand that half of the shop has, or the first
level of the category"""

_PLACE, _IDF = "place", "idf"


@dataclass(frozen=True)
class ContentNeighbours:
    """Words of the title, levels of the category path and the brand, weighted by how rare they are (TF-IDF;
    Spärck Jones, Journal of Documentation 1972) and compared by cosine. The variants of one product
    (`item_group_id`) are no neighbours of each other."""

    terms: pl.DataFrame
    """(T,) term, place and idf"""
    rows: sparse.csr_array
    """(N, T) of length 1, or empty"""
    groups: pl.DataFrame
    """(N,) the product that an item is a variant of; null for none"""

    @classmethod
    def of(cls, catalogue: pl.DataFrame) -> Self:
        """Of a catalogue (N)."""
        found = content_terms(catalogue)
        idf = ((1 + len(catalogue)) / pl.len()).log().cast(pl.Float32).alias(_IDF)
        terms = found.group_by(TERM, maintain_order=True).agg(idf).with_row_index(_PLACE)
        return cls(terms, _weights(found, terms, num_rows=len(catalogue)), _groups(catalogue))

    def followed_by(self, later: pl.DataFrame) -> Self:
        """With catalogue rows after its own. Words that only those have are left out."""
        added = _weights(content_terms(later), self.terms, num_rows=len(later))
        rows = sparse.csr_array(sparse.vstack([self.rows, added], format="csr"))
        return replace(self, rows=rows, groups=pl.concat([self.groups, _groups(later)]))

    def table(self, count: int, *, among: NDArray[np.bool_] | None = None) -> Neighbours:
        """(N, `count`) of each of its own items, those most alike; of what `among` (N,) marks."""
        own = np.arange(self.rows.shape[0], dtype=np.int32)
        return self._nearest(self.rows, self.groups, own, count=count, among=among)

    def nearest(
        self,
        described: pl.DataFrame,
        *,
        count: int,
        places: IntArray | None = None,
        among: NDArray[np.bool_] | None = None,
        least: float = MIN_SIMILARITY,
    ) -> Neighbours:
        """(M, `count`) for catalogue rows (M), with `least` of a cosine; of what `among` (N,) marks. `places`
        (M,): those of its items that they describe, -1 for none."""
        own = np.full(len(described), -1, np.int32) if places is None else places.astype(np.int32)
        weights = _weights(content_terms(described), self.terms, num_rows=len(described))
        return self._nearest(weights, _groups(described), own, count=count, among=among, least=least)

    def vectors(self, described: pl.DataFrame, item_vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """(M, D) for catalogue rows (M): the mean of their neighbours' `item_vectors` (N, D) by similarity,
        as long as those are; zeros for a row that shares nothing with an item that has a vector."""
        apart = described.drop(ITEM_GROUP_ID, strict=False)  # a variant's vector says most
        has_vector = np.asarray(item_vectors.any(axis=1), np.bool_)
        near = self.nearest(apart, count=NUM_FOR_VECTOR, among=has_vector, least=0)
        vectors = np.zeros((len(described), item_vectors.shape[1]), np.float32)
        for place, (items, similarity) in enumerate(zip(near.items, near.scores, strict=True)):
            is_there = items >= 0
            if is_there.any():
                theirs = item_vectors[items[is_there]]
                mean = similarity[is_there] @ theirs
                length = np.linalg.norm(theirs, axis=1).mean()
                vectors[place] = mean * length / max(float(np.linalg.norm(mean)), 1e-9)
        return vectors

    def _nearest(
        self,
        weights: sparse.csr_array,
        groups: pl.DataFrame,
        own: IntArray,
        *,
        count: int,
        among: NDArray[np.bool_] | None,
        least: float = MIN_SIMILARITY,
    ) -> Neighbours:
        num_rows, num_items = weights.shape[0], self.rows.shape[0]
        items = np.full((num_rows, count), -1, np.int32)
        scores = np.zeros((num_rows, count), np.float32)
        codes = _codes(pl.concat([self.groups, groups]))
        _fill(
            _parts(weights),
            _parts(self._items_of_term),
            own,
            codes[num_items:],
            codes[:num_items],
            np.ones(num_items, np.bool_) if among is None else np.ascontiguousarray(among),
            np.float32(least),
            items,
            scores,
        )
        return Neighbours(items=items, scores=scores)

    @cached_property
    def _items_of_term(self) -> sparse.csr_array:
        """(T, N)"""
        return sparse.csr_array(self.rows.T.tocsr())


def _groups(catalogue: pl.DataFrame) -> pl.DataFrame:
    """(N,) one column."""
    if ITEM_GROUP_ID not in catalogue.columns:
        return pl.DataFrame({ITEM_GROUP_ID: pl.repeat(None, len(catalogue), dtype=pl.String, eager=True)})
    group = pl.col(ITEM_GROUP_ID).cast(pl.String)
    return catalogue.select(pl.when(group != "").then(group).alias(ITEM_GROUP_ID))


def _codes(groups: pl.DataFrame) -> IntArray:
    """(N,) from 1, the same for the variants of one product; 0 for an item that is a variant of nothing."""
    codes: IntArray = groups.to_series().rank("dense").fill_null(0).to_numpy().astype(np.int32)
    return codes


def variant_codes(catalogue: pl.DataFrame, num_items: int) -> IntArray:
    """(N,) from 1, the same for the variants of one product; 0 for an item that is a variant of nothing."""
    return _codes(_groups(catalogue)) if len(catalogue) else np.zeros(num_items, np.int32)


def _weights(found: pl.DataFrame, terms: pl.DataFrame, *, num_rows: int) -> sparse.csr_array:
    """(num_rows, T) rows of length 1; terms that the catalogue lacks are left out."""
    placed = found.join(terms, on=TERM, how="inner", maintain_order="left")
    row, place, idf = (placed[name].to_numpy() for name in (ROW, _PLACE, _IDF))
    lengths = np.sqrt(np.bincount(row, weights=idf**2, minlength=num_rows))
    scaled = (idf / np.maximum(lengths[row], 1e-9)).astype(np.float32)
    return sparse.csr_array((scaled, (row, place)), shape=(num_rows, len(terms)))


_Sparse = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]
"""indptr, indices and data"""


def _parts(matrix: sparse.csr_array) -> _Sparse:
    return matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data


@compiled
def _fill(
    rows: _Sparse,
    items_of_term: _Sparse,
    own: IntArray,
    group_of_row: IntArray,
    group_of_item: IntArray,
    among: NDArray[np.bool_],
    least: np.float32,
    items: IntArray,
    scores: NDArray[np.float32],
) -> None:
    """Write the best of each row, with `least` of a cosine, into `items` and `scores` (M, K), the lower index
    of equals first."""
    starts, terms, weights = rows
    term_starts, term_items, term_weights = items_of_term
    sums = np.zeros(len(among), np.float32)
    seen = np.empty(len(among), np.int32)
    for row in range(len(own)):
        own_terms = terms[starts[row] : starts[row + 1]]
        sizes = term_starts[own_terms + 1] - term_starts[own_terms]
        num_seen, visits = 0, 0
        for at in np.argsort(sizes, kind="mergesort"):
            visits += sizes[at]
            if visits > MAX_VISITS and visits > sizes[at]:
                break
            weight, term = weights[starts[row] + at], own_terms[at]
            for place in range(term_starts[term], term_starts[term + 1]):
                item = term_items[place]
                if sums[item] == 0:
                    seen[num_seen] = item
                    num_seen += 1
                sums[item] += weight * term_weights[place]
        for place in range(num_seen):
            item = seen[place]
            is_variant = group_of_row[row] > 0 and group_of_item[item] == group_of_row[row]
            is_like = sums[item] >= least and item != own[row] and not is_variant
            if is_like and among[item]:
                insert_best(items[row], scores[row], item, sums[item])
            sums[item] = 0
