"""The exported user encoder: a user's history in, a query vector out, live and in every evaluation.

Shapes: L events of one history, N items, D width of the vectors, A - 1 user attributes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from configs.settings.encoder import HistoryOrder
from configs.settings.event_types import EventType
from configs.settings.section import Section
from features.core.bundle_files import reading
from features.core.columns import EVENT_TYPE_CODE
from features.core.onnx import input_width, onnx_session
from features.histories import EncoderInputs, encoder_inputs
from features.profiles.user_features import user_codes
from features.retriever import UserContext

GRAPH_FILE: Final = "user_encoder.onnx"
SETTINGS_FILE: Final = "query_encoder.json"

_INPUTS: Final = {"history_vectors", "event_types", "ages", "lengths", "user_numbers", "user_codes"}


class QueryEncoderSettings(Section):
    """What a history is cut to before it is encoded."""

    input_event_types: tuple[EventType, ...]
    max_length: int
    order: HistoryOrder = "sequence"
    num_user_attributes: int = 0


class QueryEncoder:
    """An ONNX graph with what it reads of a user."""

    def __init__(self, graph: bytes, settings: QueryEncoderSettings) -> None:
        self._graph, self._settings = graph, settings
        self._session = onnx_session(graph, inputs=_INPUTS, output="query_vectors")
        self._input_names = {value.name for value in self._session.get_inputs()}
        codes = [EVENT_TYPE_CODE[name] for name in settings.input_event_types]
        self._input_event_types = np.array(codes, np.int8)
        self._unknown_attributes = np.zeros(settings.num_user_attributes, np.int32)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote. Raises ArtefactError."""
        with reading(folder / SETTINGS_FILE):
            text = (folder / SETTINGS_FILE).read_text(encoding="utf-8")
            settings = QueryEncoderSettings.model_validate(json.loads(text))
        with reading(folder / GRAPH_FILE):
            return cls((folder / GRAPH_FILE).read_bytes(), settings)

    def save(self, folder: Path) -> None:
        """Write the graph and its settings."""
        (folder / GRAPH_FILE).write_bytes(self._graph)
        (folder / SETTINGS_FILE).write_text(self._settings.model_dump_json(indent=2) + "\n", encoding="utf-8")

    @property
    def width(self) -> int | None:
        """The width of the item vectors that it reads; None where it takes any."""
        return (
            input_width(self._session, "history_vectors") if "history_vectors" in self._input_names else None
        )

    @property
    def reads_user(self) -> bool:
        """Whether it reads the user's features and attributes besides the history."""
        return "user_numbers" in self._input_names

    def inputs(self, user: UserContext) -> EncoderInputs:
        """The events that it reads of a user's history."""
        return encoder_inputs(
            user.history,
            as_of=user.as_of,
            event_types=self._input_event_types,
            max_length=self._settings.max_length,
            order=self._settings.order,
        )

    def encode(
        self, user: UserContext, item_vectors: NDArray[np.float32], *, inputs: EncoderInputs | None = None
    ) -> NDArray[np.float32] | None:
        """The query vector (D,) to look for among `item_vectors` (N, D); None where no event is an input.
        `inputs`: what `inputs` gave for this user."""
        inputs = self.inputs(user) if inputs is None else inputs
        if not len(inputs.items):
            return None
        feed: dict[str, NDArray[Any]] = {
            "history_vectors": item_vectors.take(inputs.items, axis=0)[None],
            "event_types": inputs.event_types[None],
            "ages": inputs.ages[None],
            "lengths": np.array([len(inputs.items)], np.int64),
        }
        if self.reads_user:
            features = user.profile.features
            attributes = user.attributes if len(user.attributes) else self._unknown_attributes
            feed["user_numbers"] = features.numbers[None]
            feed["user_codes"] = user_codes(np.int32(features.category), attributes)[None]
        used = {name: value for name, value in feed.items() if name in self._input_names}
        query: NDArray[np.float32] = self._session.run(["query_vectors"], used)[0][0]
        return query
