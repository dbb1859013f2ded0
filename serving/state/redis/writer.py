"""Group commit into Redis: one round trip for what was written meanwhile, and so one fsync."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

from configs.exceptions import StoreAwayError
from serving.state.group_commit_writer import GroupCommitWriter
from serving.state.redis.client import WRITE_SECONDS, Command, RedisClient
from serving.state.redis.location import RedisLocation

_RETRY_SECONDS: Final = 0.1
"""Between two attempts to reach a server that is away."""


class RedisWriter(GroupCommitWriter[Command, Any]):
    """Carries out one command a write, and returns its answer.

    Each can be tried again where the connection broke before the answer came: the same events, the same items
    and the same user are not stored or deleted twice.
    """

    def __init__(self, location: RedisLocation) -> None:
        self._client = RedisClient(location, timeout=WRITE_SECONDS, away_seconds=0)
        self._is_away = False
        super().__init__(str(location))

    def _commit(self, group: Sequence[Command]) -> list[Any]:
        if self._is_away:
            time.sleep(_RETRY_SECONDS)
        try:
            answers = self._client.many(group)
        except StoreAwayError:
            self._is_away = True
            raise
        self._is_away = False
        return answers

    def _disconnect(self) -> None:
        self._client.close()
