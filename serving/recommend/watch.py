"""What an operator wants to know of the work inside a request, measured for some of the requests.

Nothing is measured until somebody listens, and what is measured changes no answer.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final, Protocol

import numpy as np

from features.core.columns import EVENT_TYPES
from features.retrievers.encoder import EncoderRetriever, NearestItems
from serving.recommend.candidates import KnownUser
from serving.recommend.pipeline import Pipeline

TIMED_EVERY: Final = 8
"""Of so many lists, one has its stages timed."""
SEARCHED_EVERY: Final = 512
"""Of so many users whose items are retrieved, one is searched for exactly, too: that takes milliseconds."""


class Listener(Protocol):
    """Whoever keeps the figures."""

    def time_stage(self, stage: str, seconds: float) -> None:
        """`retrieve`, `rank` or `select` of one list."""

    def note_index_recall(self, share: float) -> None:
        """How many of the items nearest to one user the index found."""

    def note_encoder_inputs(self, event_types: Sequence[str]) -> None:
        """Of the events of one user that the encoder read."""

    def note_event_lag(self, seconds: float) -> None:
        """How long before it arrived an event happened."""


@dataclass
class Watch:
    """One for each server process."""

    listener: Listener | None = None
    _lists: count[int] = field(default_factory=count)
    _users: count[int] = field(default_factory=count)

    def laps(self) -> Laps | None:
        """For one list; None where it is not timed."""
        if self.listener is None or next(self._lists) % TIMED_EVERY:
            return None
        return Laps(self.listener)

    def look_at(self, known: KnownUser, pipeline: Pipeline) -> None:
        """Compare what was found for a user with an exact search, now and then."""
        if self.listener is None or next(self._users) % SEARCHED_EVERY:
            return
        encoder = pipeline.bundle.retrievers.get(EncoderRetriever.name)
        found = known.retrieved.get(EncoderRetriever.name)
        if not isinstance(encoder, EncoderRetriever) or not isinstance(found, NearestItems):
            return
        read = encoder.query_encoder.inputs(known.context).event_types
        self.listener.note_encoder_inputs([EVENT_TYPES[code] for code in read])
        if found.query_vector is not None and len(found.items):
            everything = np.ones(pipeline.bundle.num_items, bool)
            exact = encoder.deeper(known.context, found, allowed=everything, count=len(found.items))
            self.listener.note_index_recall(float(np.isin(exact.items, found.items).mean()))


class Laps:
    """The time since the last stage."""

    def __init__(self, listener: Listener) -> None:
        self._listener, self._since = listener, time.perf_counter()

    def end(self, stage: str) -> None:
        """A stage is over."""
        now = time.perf_counter()
        self._listener.time_stage(stage, now - self._since)
        self._since = now
