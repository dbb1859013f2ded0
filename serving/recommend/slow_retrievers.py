"""Retrievers that take too long are left out for a while: a list without one of them is better than none."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from typing import Final

from features.retriever import Retriever, ScoredItems, UserContext

logger = logging.getLogger("shopkeeper.retrievers")

REST_SECONDS: Final = 10.0
"""How long a retriever that passed its deadline is left out before it is asked again."""


class SlowRetrievers:
    """The deadline of a server's retrievers. They run in the request itself, so the list that meets the slow
    one is late, and those after it are not."""

    def __init__(self, *, deadline_seconds: float, clock: Callable[[], float] = time.perf_counter) -> None:
        self._deadline, self._clock = deadline_seconds, clock
        self._rests_until: dict[str, float] = {}

    @property
    def resting(self) -> tuple[str, ...]:
        """The retrievers that are left out at the moment."""
        now = self._clock()
        return tuple(name for name, until in self._rests_until.items() if now < until)

    def ask(self, retriever: Retriever, user: UserContext) -> ScoredItems:
        """What a retriever gives for a user; nothing while it is left out."""
        name, start = retriever.name, self._clock()
        if start < self._rests_until.get(name, -math.inf):
            return ScoredItems.none()
        found = retriever.for_user(user)
        self._note(name, seconds=self._clock() - start)
        return found

    def _note(self, name: str, *, seconds: float) -> None:
        if seconds <= self._deadline:
            return
        self._rests_until[name] = self._clock() + REST_SECONDS
        logger.warning(
            "The retriever %s took %.0f ms, over its deadline of %.0f ms (serving.retriever_deadline_ms): "
            "lists are made without it for %.0f s.",
            name,
            1000 * seconds,
            1000 * self._deadline,
            REST_SECONDS,
        )
