"""Vectors of items without history, from what the catalogue says of them. Shapes: M items, D width."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.histories import IntArray
from features.profiles.item_content import code_items
from serving.recommend.encoder import onnx_session

GRAPH_FILE = "item_encoder.onnx"
VOCABULARY_FILE = "item_vocabulary.parquet"
ITEMS_AT_ONCE = 10_000


class ItemEncoder:
    """The item tower's graph with the vocabulary of its codes: a catalogue row is all that it needs."""

    def __init__(self, folder: Path) -> None:
        self._session = onnx_session(folder / GRAPH_FILE)
        self._vocabulary = pl.read_parquet(folder / VOCABULARY_FILE)

    def vectors(self, rows: pl.DataFrame) -> NDArray[np.float32]:
        """Catalogue rows (product_type, brand, price; what is absent is unknown) → (M, D)."""
        return self.of_codes(code_items(rows, self._vocabulary))

    def of_codes(self, codes: IntArray) -> NDArray[np.float32]:
        """Codes (M, G) → (M, D); zeros for an item of which nothing is known, since nothing tells it from the
        others."""
        codes = codes.astype(np.int64)
        parts = [
            codes[first : first + ITEMS_AT_ONCE] for first in range(0, max(len(codes), 1), ITEMS_AT_ONCE)
        ]
        found = [self._session.run(["item_vectors"], {"codes": part})[0] for part in parts if len(part)]
        width = self._session.get_outputs()[0].shape[1]
        vectors = np.concatenate([np.empty((0, width), np.float32), *found])
        vectors[~codes.any(axis=1)] = 0.0
        return vectors
