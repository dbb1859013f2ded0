"""The exported ranker on ONNX Runtime: columns of candidates in, one score each out, or the score and the
probabilities of outcomes. Shapes: C candidates, F columns, K outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from configs.exceptions import ArtefactError
from features.core.bundle_files import reading
from features.core.onnx import input_width, onnx_session

RANKER_FILE: Final = "ranker.onnx"


class Ranker:
    """A graph with the names of the columns that it was trained on, and of the outcomes it tells."""

    outcomes: tuple[str, ...] = ()

    def __init__(self, graph: bytes, *, columns: Sequence[str], outcomes: Sequence[str] = ()) -> None:
        self.graph, self.columns, self.outcomes = graph, tuple(columns), tuple(outcomes)
        self._session = onnx_session(graph, inputs={"features"}, output="scores")
        if input_width(self._session, "features") not in (None, len(self.columns)):
            raise ValueError(f"it does not read {len(self.columns)} features")
        shape = next(value.shape for value in self._session.get_outputs() if value.name == "scores")
        width = shape[1] if len(shape) > 1 else None
        if width != (1 + len(self.outcomes) if self.outcomes else None):
            raise ValueError(f"it does not tell {len(self.outcomes)} outcomes beside the score")

    @classmethod
    def load(cls, folder: Path, *, columns: Sequence[str], outcomes: Sequence[str] = ()) -> Self:
        """Read what `save` wrote. Raises ArtefactError."""
        with reading(folder / RANKER_FILE):
            return cls((folder / RANKER_FILE).read_bytes(), columns=columns, outcomes=outcomes)

    def save(self, folder: Path) -> None:
        """Write the graph; the bundle's manifest keeps the columns."""
        (folder / RANKER_FILE).write_bytes(self.graph)

    def require_columns(self, computed: Sequence[str], *, where: Path) -> None:
        """Raise ArtefactError where it was trained on other columns than this program computes."""
        if self.columns != tuple(computed):
            odd = sorted(set(self.columns) ^ set(computed)) or ["their order"]
            raise ArtefactError(
                f"{where / RANKER_FILE}: the ranker was trained on other features than this version computes "
                f"({', '.join(odd)}). Export it anew."
            )

    def outputs(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """(C, F) → (C,) scores; with outcomes (C, 1 + K), the score and the probabilities. No candidates give
        none, which not every graph can say."""
        if not len(features):
            return np.empty((0, 1 + len(self.outcomes)) if self.outcomes else 0, np.float32)
        found: NDArray[np.float32] = self._session.run(["scores"], {"features": features})[0]
        return found

    def scores(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """(C, F) → (C,) the score for any of the target events."""
        found = self.outputs(features)
        return np.ascontiguousarray(found[:, 0]) if self.outcomes else found
