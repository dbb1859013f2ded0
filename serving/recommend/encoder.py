"""The exported user encoder on ONNX Runtime. Shapes: L events of one history, D width of the vectors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from features.histories import EncoderInputs


def onnx_session(path: Path) -> onnxruntime.InferenceSession:
    """Load a graph for single small requests: one thread, since replicas already use the other cores."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


@dataclass(frozen=True)
class UserInputs:
    """What the encoder reads of the user besides the history."""

    numbers: NDArray[np.float32]
    """(F,)"""
    codes: NDArray[np.int64]
    """(A,)"""


class Encoder:
    """Histories of item vectors in, query vectors out."""

    def __init__(self, path: Path) -> None:
        self._session = onnx_session(path)
        self._input_names = {value.name for value in self._session.get_inputs()}

    @property
    def reads_user(self) -> bool:
        """Whether `query_vector` needs the user's features."""
        return "user_numbers" in self._input_names

    def query_vector(
        self, inputs: EncoderInputs, item_vectors: NDArray[np.float32], user: UserInputs | None = None
    ) -> NDArray[np.float32]:
        """The vector (D,) to look for among `item_vectors` (N, D). The history must not be empty."""
        length = len(inputs.items)
        feed = {
            "history_vectors": item_vectors.take(inputs.items, axis=0)[None],
            "event_types": inputs.event_types[None],
            "ages": inputs.ages[None],
            "lengths": np.array([length], np.int64),
        }
        if user is not None:
            feed |= {"user_numbers": user.numbers[None], "user_codes": user.codes[None]}
        used = {name: value for name, value in feed.items() if name in self._input_names}
        query: NDArray[np.float32] = self._session.run(["query_vectors"], used)[0][0]
        return query
