"""The exported ranker on ONNX Runtime: candidate features in, one score each out. Shapes: C candidates, F
features."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from configs.exceptions import ArtefactError
from serving.recommend.encoder import onnx_session
from serving.recommend.feature_names import FEATURES


class Ranker:
    """Refuses a graph that was trained on other features than this program computes."""

    def __init__(self, path: Path, *, features: Sequence[str]) -> None:
        if tuple(features) != FEATURES:
            odd = sorted(set(features) ^ set(FEATURES)) or ["their order"]
            raise ArtefactError(
                f"{path}: the ranker was trained on other features than this version computes "
                f"({', '.join(odd)}). Export it anew."
            )
        self._session = onnx_session(path)

    def scores(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """(C, F) → (C,); nobody's items to buy again make C = 0, which not every graph takes."""
        if not len(features):
            return np.empty(0, np.float32)
        scores: NDArray[np.float32] = self._session.run(["scores"], {"features": features})[0]
        return scores
