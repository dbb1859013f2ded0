"""Asks the sentiment network, exported to ONNX, how probable it is that a text is content.

Shapes: M texts, K known tokens.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.core.onnx import onnx_session
from features.reviews.review_tokens import review_tokens, tokens_of

TOKENS: Final = "tokens"
LOG_ODDS: Final = "log_odds"
GRAPH_FILE: Final = "sentiment.onnx"
KNOWN_FILE: Final = "known_tokens.npy"
LEAST_KNOWN: Final = 0.6
"""A text with a smaller share of tokens that the network was trained on is in another language."""
_TEXTS_AT_ONCE: Final = 128


class Sentiment:
    """A trained network."""

    def __init__(self, graph: bytes, known: NDArray[np.int32]) -> None:
        """`known` (K,): hashes of tokens that the network was trained on, ascending."""
        self.known = known
        self._session = onnx_session(graph, inputs={TOKENS}, output=LOG_ODDS)

    @classmethod
    def load(cls, folder: Path) -> Sentiment:
        """What `training.reviews` wrote."""
        known = np.load(folder / KNOWN_FILE, allow_pickle=False)
        return cls((folder / GRAPH_FILE).read_bytes(), known)

    def log_odds(self, texts: pl.Series) -> NDArray[np.float64]:
        """(M,) of being content; NaN for a text without a token."""
        tokens = tokens_of(texts)
        row = tokens["row"].to_numpy()
        lengths = np.bincount(row, minlength=len(texts))
        order = np.argsort(lengths, kind="stable")  # so that little is padding
        rank = np.argsort(order, kind="stable")
        tokens = tokens.with_columns(pl.Series("row", rank[row])).sort("row", maintain_order=True)
        bounds = np.concatenate([[0], np.cumsum(lengths[order])])
        found = np.full(len(texts), np.nan)
        first = int((lengths == 0).sum())
        for start in range(first, len(order), _TEXTS_AT_ONCE):
            rows = order[start : start + _TEXTS_AT_ONCE]
            some = tokens.slice(bounds[start], bounds[start + len(rows)] - bounds[start])
            some = some.with_columns(pl.col("row") - start)
            (odds,) = self._session.run([LOG_ODDS], {TOKENS: review_tokens(some, num_texts=len(rows))})
            found[rows] = odds
        return found

    def reads(self, texts: pl.Series) -> NDArray[np.bool_]:
        """(M,) whether each is in a language that the network was trained on, by its words."""
        tokens = tokens_of(texts)
        tokens = tokens.filter(pl.col("token").str.contains(r"\p{L}"))
        row, hashes = tokens["row"].to_numpy(), tokens["hash"].to_numpy()
        place = np.searchsorted(self.known, hashes).clip(max=max(len(self.known) - 1, 0))
        is_known = self.known[place] == hashes if len(self.known) else np.zeros(len(hashes), bool)
        count = np.bincount(row, minlength=len(texts))
        found: NDArray[np.bool_] = (count > 0) & (
            np.bincount(row, weights=is_known, minlength=len(texts)) >= LEAST_KNOWN * count
        )
        return found
