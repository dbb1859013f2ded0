"""The histories that a process keeps in memory, whichever store they come from."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Final

from features.histories import History
from serving.state.user_history_cache import HistoryReader, UserHistoryCache

MAX_CACHED_USERS: Final = 10_000
"""Users whose histories stay in memory; the least recently used are evicted first."""

MAX_CACHED_EVENTS: Final = 1_000_000
"""Events of all these histories together, of some 100 bytes each: what bounds the memory where users have
long histories."""


class HistoryCaches:
    """The most recently used histories. Not thread-safe."""

    def __init__(self) -> None:
        self.users: OrderedDict[str, UserHistoryCache] = OrderedDict()
        """By user key, the most recently used last"""
        self.num_events = 0
        """How many events these histories have together"""

    def history(
        self, reader: HistoryReader, user_key: str, item_index: Mapping[str, int], *, limit: int
    ) -> History:
        """The history of a user, loaded or brought up to date."""
        cache = self.users.pop(user_key, None)
        self.num_events -= len(cache.history) if cache else 0
        if cache is None or cache.item_index is not item_index or cache.limit != limit:
            cache = UserHistoryCache(reader, user_key, item_index=item_index, limit=limit)
        else:
            cache.refresh(reader)
        self.users[user_key] = cache
        self.num_events += len(cache.history)
        while len(self.users) > MAX_CACHED_USERS or (
            self.num_events > MAX_CACHED_EVENTS and len(self.users) > 1
        ):
            self.num_events -= len(self.users.popitem(last=False)[1].history)
        return cache.history

    def drop(self, user_keys: Sequence[str | None]) -> None:
        """Histories that changed in another way than by new events, such as by a merge; None: all."""
        if None in user_keys:
            self.users.clear()
            self.num_events = 0
        for key in user_keys:
            cache = self.users.pop(key or "", None)
            self.num_events -= len(cache.history) if cache else 0
