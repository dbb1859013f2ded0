"""Vectors of items without history, from what the catalogue says of them. Shapes: M items, G features, D
width."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.core.bundle_files import reading
from features.core.onnx import onnx_session
from features.histories import IntArray
from features.profiles.item_content import code_items

ITEM_ENCODER_FILE: Final = "item_encoder.onnx"
VOCABULARY_FILE: Final = "item_vocabulary.parquet"
ITEMS_AT_ONCE: Final = 10_000


class ItemEncoder:
    """The item tower's graph with the vocabulary of its codes: a catalogue row is all that it needs."""

    def __init__(self, graph: bytes, vocabulary: pl.DataFrame) -> None:
        self._graph, self._vocabulary = graph, vocabulary
        self._session = onnx_session(graph, inputs={"codes"}, output="item_vectors")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote. Raises ArtefactError."""
        with reading(folder / VOCABULARY_FILE):
            vocabulary = pl.read_parquet(folder / VOCABULARY_FILE)
        with reading(folder / ITEM_ENCODER_FILE):
            return cls((folder / ITEM_ENCODER_FILE).read_bytes(), vocabulary)

    def save(self, folder: Path) -> None:
        """Write the graph and the vocabulary."""
        (folder / ITEM_ENCODER_FILE).write_bytes(self._graph)
        self._vocabulary.write_parquet(folder / VOCABULARY_FILE)

    def vectors(self, rows: pl.DataFrame) -> NDArray[np.float32]:
        """Catalogue rows (product_type, brand, price; what is absent is unknown) → (M, D)."""
        return self.encode(code_items(rows, self._vocabulary))

    def encode(self, codes: IntArray) -> NDArray[np.float32]:
        """Codes (M, G) → (M, D); zeros for an item of which nothing is known, since nothing tells it from the
        others."""
        codes = codes.astype(np.int64)
        starts = range(0, max(len(codes), 1), ITEMS_AT_ONCE)
        parts = [codes[start : start + ITEMS_AT_ONCE] for start in starts]
        found = [self._session.run(["item_vectors"], {"codes": part})[0] for part in parts if len(part)]
        width = self._session.get_outputs()[0].shape[1]
        vectors = np.concatenate([np.empty((0, width), np.float32), *found])
        vectors[~codes.any(axis=1)] = 0.0
        return vectors
