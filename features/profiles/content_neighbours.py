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
_ROW, _TERM = "row", "term"


@dataclass(frozen=True)
class ContentNeighbours:
    """Words of the title, levels of the category path and the brand, weighted by how rare they are (TF-IDF)
    and compared by cosine."""

    terms: dict[str, int]
    idf: NDArray[np.float32]
    """(T,)"""
    rows: sparse.csr_array
    """(N, T) of length 1, or empty"""

    @classmethod
    def of(cls, catalogue: pl.DataFrame) -> Self:
        """Of a catalogue (N)."""
        found = _terms(catalogue)
        counts = found.group_by(_TERM, maintain_order=True).len()
        terms = {term: place for place, term in enumerate(counts[_TERM].to_list())}
        idf = np.log((1 + len(catalogue)) / counts["len"].to_numpy()).astype(np.float32)
        return cls(terms, idf, _weights(found, terms, idf, num_rows=len(catalogue)))

    def vectors(self, described: pl.DataFrame, item_vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """(M, D) for catalogue rows (M): the mean of their neighbours' `item_vectors` (N, D) by similarity,
        as long as those are; zeros for a row that shares nothing with an item that has a vector."""
        weights = _weights(_terms(described), self.terms, self.idf, num_rows=len(described))
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
        TITLE: pl.col(TITLE).str.to_lowercase().str.extract_all(_WORD),
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
    schema = {_ROW: pl.UInt32, _TERM: pl.String}
    return pl.concat([pl.DataFrame(schema=schema), *found]).unique(maintain_order=True)


def _weights(
    found: pl.DataFrame, terms: dict[str, int], idf: NDArray[np.float32], *, num_rows: int
) -> sparse.csr_array:
    """(num_rows, T) rows of length 1; terms that the catalogue lacks are left out."""
    places = {_TERM: list(terms), "place": np.arange(len(terms), dtype=np.int32)}
    known = pl.DataFrame(places, schema_overrides={_TERM: pl.String})
    placed = found.join(known, on=_TERM, how="inner")
    row, place = placed[_ROW].to_numpy(), placed["place"].to_numpy()
    values = idf[place]
    lengths = np.sqrt(np.bincount(row, weights=values**2, minlength=num_rows))
    scaled = (values / np.maximum(lengths[row], 1e-9)).astype(np.float32)
    return sparse.csr_array((scaled, (row, place)), shape=(num_rows, len(terms)))
