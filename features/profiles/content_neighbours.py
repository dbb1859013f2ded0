"""Which items are described alike: for a product that nobody has touched, and a model without an item tower.

Shapes: N items, M described ones, T terms, K neighbours, D width of the vectors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from features.core.columns import BRAND, PRODUCT_TYPE, TITLE
from features.histories import IntArray
from features.profiles.item_content import PATH_SEPARATOR

NUM_NEIGHBOURS: Final = 20
_WORD: Final = r"[\p{L}\p{N}]+"
_ROW, _TERM, _PLACE, _IDF = "row", "term", "place", "idf"


@dataclass(frozen=True)
class ContentNeighbours:
    """Words of the title, levels of the category path and the brand, weighted by how rare they are (TF-IDF)
    and compared by cosine."""

    terms: pl.DataFrame
    """(T,) term, place and idf"""
    rows: sparse.csr_array
    """(N, T) of length 1, or empty"""

    @classmethod
    def of(cls, catalogue: pl.DataFrame) -> Self:
        """Of a catalogue (N)."""
        found = _terms(catalogue)
        idf = ((1 + len(catalogue)) / pl.len()).log().cast(pl.Float32).alias(_IDF)
        terms = found.group_by(_TERM, maintain_order=True).agg(idf).with_row_index(_PLACE)
        return cls(terms, _weights(found, terms, num_rows=len(catalogue)))

    def vectors(self, described: pl.DataFrame, item_vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """(M, D) for catalogue rows (M): the mean of their neighbours' `item_vectors` (N, D) by similarity,
        as long as those are; zeros for a row that shares nothing with an item that has a vector."""
        weights = _weights(_terms(described), self.terms, num_rows=len(described))
        has_vector = item_vectors.any(axis=1)
        vectors = np.zeros((len(described), item_vectors.shape[1]), np.float32)
        for place in range(len(described)):
            similarity = (self.rows @ weights[[place]].T).toarray().ravel() * has_vector  # (N,)
            nearest = _best(similarity, NUM_NEIGHBOURS)
            if len(nearest):
                theirs = item_vectors[nearest]
                mean = similarity[nearest] @ theirs
                length = np.linalg.norm(theirs, axis=1).mean()
                vectors[place] = mean * length / max(float(np.linalg.norm(mean)), 1e-9)
        return vectors


def _best(similarity: NDArray[np.float32], count: int) -> IntArray:
    """The most similar with any similarity at all."""
    count = min(count, len(similarity))
    nearest = np.argpartition(-similarity, count - 1)[:count] if count else np.empty(0, np.intp)
    found: IntArray = nearest[similarity[nearest] > 0].astype(np.int32)
    return found


def _terms(catalogue: pl.DataFrame) -> pl.DataFrame:
    """(row, term) of each catalogue row, each once; a term says which column it is from."""
    parts = {
        TITLE: pl.col(TITLE).str.to_lowercase().str.extract_all(_WORD).list.unique(maintain_order=True),
        PRODUCT_TYPE: pl.col(PRODUCT_TYPE).str.to_lowercase().str.split(PATH_SEPARATOR),
        BRAND: pl.concat_list(pl.col(BRAND).str.to_lowercase()),
    }
    rows = catalogue.with_row_index(_ROW)
    found = [
        rows.select(_ROW, part.alias(_TERM))
        .explode(_TERM)
        .drop_nulls(_TERM)
        .with_columns(pl.concat_str(pl.lit(f"{name}:"), _TERM).alias(_TERM))
        for name, part in parts.items()
        if name in catalogue.columns
    ]
    return pl.concat([pl.DataFrame(schema={_ROW: pl.UInt32, _TERM: pl.String}), *found])


def _weights(found: pl.DataFrame, terms: pl.DataFrame, *, num_rows: int) -> sparse.csr_array:
    """(num_rows, T) rows of length 1; terms that the catalogue lacks are left out."""
    placed = found.join(terms, on=_TERM, how="inner")
    row, place, idf = (placed[name].to_numpy() for name in (_ROW, _PLACE, _IDF))
    lengths = np.sqrt(np.bincount(row, weights=idf**2, minlength=num_rows))
    scaled = (idf / np.maximum(lengths[row], 1e-9)).astype(np.float32)
    return sparse.csr_array((scaled, (row, place)), shape=(num_rows, len(terms)))
