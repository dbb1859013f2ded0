"""Vectors of items that were made elsewhere, of texts or of images: inputs of the item tower.

Shapes: M rows of a file, N items of the catalogue, V width.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from configs.exceptions import DataError
from features.core.columns import ID
from features.core.ids import ids_of_column
from features.readers.raw_table import columns_found

Number = TypeVar("Number", bound=np.generic)

VECTOR: Final = "vector"
"""The column of a Parquet file of vectors, beside `id`."""


@dataclass(frozen=True)
class ItemVectors:
    """Vectors by item id."""

    ids: pl.Series
    """(M,) distinct"""
    vectors: NDArray[np.float32]
    """(M, V) of length 1"""

    @classmethod
    def of(cls, ids: pl.Series, vectors: NDArray[np.float32]) -> ItemVectors:
        """Rows of length 1. Left out are those without an id, with a value that is no number, of zeros alone,
        and all of an id but the last."""
        with np.errstate(invalid="ignore", over="ignore"):
            lengths = np.linalg.norm(vectors, axis=1)
        usable = pl.Series(np.isfinite(lengths) & (lengths > 0)) & ids.is_not_null()
        kept = (usable & ids.is_last_distinct()).to_numpy()
        return cls(
            ids.filter(pl.Series(kept)), (vectors[kept] / lengths[kept, None]).astype(np.float32, copy=False)
        )

    def by_row(self, ids: pl.Series) -> NDArray[np.float32]:
        """(N, V) for these items, zeros for one without a vector."""
        return rows_by_id(self.ids, self.vectors, asked=ids)

    def remark(self, listed: pl.Series) -> str:
        """How many of the `listed` items have one, for the report."""
        num_found = int(listed.is_in(self.ids.implode()).sum())
        unknown = len(self.ids) - num_found
        rest = f"; {unknown:,} ids of vectors are not in the catalogue" if unknown else ""
        return f"{num_found:,} of {len(listed):,} items have a vector{rest}"


def rows_by_id(ids: pl.Series, rows: NDArray[Number], *, asked: pl.Series) -> NDArray[Number]:
    """The rows (M, V) of distinct `ids` (M,) for the `asked` ones (N,): (N, V), zeros for an id without."""
    place = pl.DataFrame({ID: asked}).join(
        pl.DataFrame({ID: ids}).with_row_index("place"), on=ID, how="left", maintain_order="left"
    )["place"]
    found = np.zeros((len(asked), rows.shape[1]), rows.dtype)
    found[place.is_not_null().to_numpy()] = rows[place.drop_nulls().to_numpy()]
    return found


NO_VECTORS: Final = ItemVectors(pl.Series(ID, [], pl.String), np.zeros((0, 0), np.float32))


def read_item_vectors(path: Path) -> ItemVectors:
    """Read `vectors.npy`, a row an item, with the ids in `vectors.txt`, one a line; or a Parquet file with
    the columns `id` and `vector`, a list of numbers. Raises DataError."""
    if not path.is_file():
        raise DataError(f"{path}: no such file (data.item_vectors, looked for from {Path.cwd()}).")
    if path.suffix.lower() == ".npy":
        return _of_npy(path)
    if path.suffix.lower() in (".parquet", ".pq"):
        return _of_parquet(path)
    raise DataError(
        f"{path}: data.item_vectors is a .npy file with the item ids in a .txt file beside it, one a line, "
        f"or a .parquet file with the columns {ID!r} and {VECTOR!r}. Save the vectors as one of these."
    )


def _of_npy(path: Path) -> ItemVectors:
    beside = path.with_suffix(".txt")
    if not beside.is_file():
        raise DataError(f"{beside}: no such file. Put the item ids of {path.name} there, one a line.")
    try:
        vectors = np.load(path, mmap_mode="r", allow_pickle=False)
        lines = beside.read_text(encoding="utf-8-sig").splitlines()
    except (ValueError, OSError) as error:
        raise DataError(f"{path}: cannot be read ({error}). Save it with numpy.save.") from None
    if vectors.ndim != 2 or not np.issubdtype(vectors.dtype, np.floating):
        raise DataError(
            f"{path}: holds {vectors.dtype} of the shape {vectors.shape}. Save a float array with a row for "
            "each item."
        )
    if len(lines) != len(vectors):
        raise DataError(
            f"{path}: has {len(vectors):,} rows, and {beside.name} {len(lines):,} ids. Write one id for each "
            "row, in their order."
        )
    ids = ids_of_column(pl.Series(ID, lines, pl.String), column=ID, where=str(beside))
    assert ids is not None
    return ItemVectors.of(ids, np.asarray(vectors, np.float32))


def _of_parquet(path: Path) -> ItemVectors:
    try:
        frame = pl.read_parquet(path, glob=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path}: cannot be read as parquet ({error}).") from None
    if missing := {ID, VECTOR} - set(frame.columns):
        raise DataError(
            f"{path}: no column {min(missing)!r}. {columns_found(frame.columns)} data.item_vectors needs "
            f"{ID!r} and {VECTOR!r}, a list of numbers."
        )
    ids = ids_of_column(frame[ID], column=ID, where=str(path))
    vectors = frame[VECTOR]
    if isinstance(vectors.dtype, pl.Array):
        vectors = vectors.arr.to_list()
    if ids is None or not isinstance(vectors.dtype, pl.List) or not vectors.dtype.inner.is_numeric():
        raise DataError(
            f"{path}: {ID!r} is {frame[ID].dtype} and {VECTOR!r} {frame[VECTOR].dtype}. Save ids as text or "
            "whole numbers, and vectors as lists of numbers."
        )
    has_vector = vectors.is_not_null()
    ids, vectors = ids.filter(has_vector), vectors.filter(has_vector)
    widths = vectors.list.len().unique().sort()
    if len(widths) > 1:
        raise DataError(
            f"{path}: has vectors of {widths[0]} and of {widths[-1]} numbers. Save vectors of one length."
        )
    width = int(widths[0]) if len(widths) else 0
    flat = vectors.explode(empty_as_null=False).cast(pl.Float32).fill_null(float("nan")).to_numpy()
    return ItemVectors.of(ids, flat.reshape(len(ids), width))
