"""Vectors of items without history, from what the catalogue says of them. Shapes: M items, G codes, T
tokens, V width of given vectors, D width."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from configs.exceptions import ArtefactError
from features.core.bundle_files import reading
from features.core.onnx import onnx_session
from features.profiles.item_content import code_items
from features.profiles.item_text import text_tokens

ITEM_ENCODER_FILE: Final = "item_encoder.onnx"
VOCABULARY_FILE: Final = "item_vocabulary.parquet"
ITEMS_AT_ONCE: Final = 2_000
INPUTS: Final = frozenset({"codes", "tokens", "given", "images"})
"""What a graph may read: see `Content`"""
_WORDS: Final = {"codes": "codes", "tokens": "texts", "given": "given vectors", "images": "images"}
_TYPES: Final = {"tensor(int64)": np.int64, "tensor(float)": np.float32, "tensor(uint8)": np.uint8}

Content = Mapping[str, NDArray[Any]]
"""What is known of M items: `codes` (M, G), hashed texts `tokens` (M, T), vectors from elsewhere `given` (M,
V) and thumbnails `images` (M, P), all with zeros where there is none"""
NOTHING_ELSE: Final[Content] = MappingProxyType({})


class ItemEncoder:
    """The item tower's graph with the vocabulary of its codes: a catalogue row is all that it needs."""

    def __init__(self, graph: bytes, vocabulary: pl.DataFrame) -> None:
        self._graph, self._vocabulary = graph, vocabulary
        self._session = onnx_session(graph, inputs=INPUTS, output="item_vectors")
        self._widths = {value.name: int(value.shape[1]) for value in self._session.get_inputs()}
        self._inputs = {value.name: _TYPES[value.type] for value in self._session.get_inputs()}

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

    def vectors(self, rows: pl.DataFrame, *, made_elsewhere: Content = NOTHING_ELSE) -> NDArray[np.float32]:
        """Catalogue rows (product_type, brand, price, title, description; what is absent is unknown) → (M,
        D). `made_elsewhere`: given vectors and images; without them every item lacks one."""
        described = {"codes": code_items(rows, self._vocabulary), "tokens": text_tokens(rows)}
        return self.encode({**described, **made_elsewhere})

    def encode(self, content: Content) -> NDArray[np.float32]:
        """What is known of M items → (M, D); zeros for an item of which nothing is known, since nothing tells
        it from the others. An input that the content lacks, no item has; one that the graph lacks is left
        out."""
        count = len(content["codes"])
        inputs = {name: self._input(content, name, count) for name in self._inputs}
        starts = range(0, count, ITEMS_AT_ONCE)
        found = [
            self._session.run(
                ["item_vectors"],
                {
                    name: values[start : start + ITEMS_AT_ONCE].astype(self._inputs[name])
                    for name, values in inputs.items()
                },
            )[0]
            for start in starts
        ]
        width = self._session.get_outputs()[0].shape[1]
        vectors = np.concatenate([np.empty((0, width), np.float32), *found])
        is_known = np.any([values.any(axis=1) for values in inputs.values()], axis=0)
        vectors[~is_known] = 0.0
        return vectors

    def _input(self, content: Content, name: str, count: int) -> NDArray[Any]:
        """(M, width) Raises ArtefactError where the items have an input of another width than the graph
        reads."""
        width = self._widths[name]
        found = content.get(name)
        if found is None or not found.shape[1]:
            return np.zeros((count, width), self._inputs[name])
        if found.shape[1] != width:
            raise ArtefactError(
                f"The {_WORDS[name]} of the items have {found.shape[1]} numbers, and the model reads "
                f"{width}: they were made in another way. Train on the present data with `shopkeeper train`."
            )
        return found
