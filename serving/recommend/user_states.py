"""User states: what is known of a user without the request, kept from one request to the next.

A state is the pipeline's own work at one moment: as long as it is kept, the user's lists are those of that
moment. A new event ends it, and so does its age, since ages in it stand still.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from features.histories import History
from serving.recommend.candidates import KnownUser
from serving.recommend.pipeline import Pipeline, Ranked
from serving.recommend.request import Answer, Query
from serving.recommend.slow_retrievers import SlowRetrievers
from serving.recommend.watch import Laps, Watch

MICROSECONDS_PER_SECOND: Final = 1_000_000
_BYTES_OF_A_STATE: Final = 20_000
_BYTES_OF_AN_EVENT: Final = 100
_BYTES_OF_A_SCORE: Final = 16


@dataclass
class UserState:
    """One user at one moment."""

    history: History
    as_of: int
    """When it was made, in microseconds since 1970 UTC"""
    known: KnownUser
    context: Mapping[str, str] = field(default_factory=dict)
    """Of the request that it was made for"""
    num_followed: int = 0
    """`Pipeline.num_followed` then"""
    ranked: dict[str, Ranked] = field(default_factory=dict)
    """Surface → its candidates, ranked, for a page that shows nothing"""
    num_bytes: int = 0


class UserStates:
    """Answers queries from kept states; the least recently used are dropped. Not thread-safe."""

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        max_bytes: int,
        max_age_seconds: float,
        slow: SlowRetrievers | None = None,
        watch: Watch | None = None,
    ) -> None:
        """`max_bytes` of all states together; 0 keeps none. An older state than `max_age_seconds` is made
        anew."""
        self._pipeline, self._max_bytes = pipeline, max_bytes
        self._max_age = int(max_age_seconds * MICROSECONDS_PER_SECOND)
        self._slow, self._watch = slow, watch or Watch()
        self._states: OrderedDict[str, UserState] = OrderedDict()
        self.num_bytes = 0

    def __len__(self) -> int:
        """How many users have one."""
        return len(self._states)

    def recommend(self, query: Query) -> Answer:
        """The same as `Pipeline.recommend` at the moment of the user's state.

        `query.history` must be the same object as long as it holds the same events. A stranger has no state.
        """
        laps, user = self._watch.laps(), query.user
        if user is None or not self._max_bytes or (query.options.is_pinned and not self._is_pinned_to(query)):
            known = self._know(query, laps)
            return self._selected(query, self._ranked(query, known, laps), laps)
        state = self._states.get(user)
        if state is None or not self._is_current(state, query):
            state = UserState(
                query.history,
                query.as_of,
                self._know(query, laps),
                context=query.context,
                num_followed=self._pipeline.num_followed,
            )
        if query.as_of != state.as_of:
            query = replace(query, as_of=state.as_of)
        ranked = None if len(query.page_items) else state.ranked.get(query.surface)
        if ranked is None:
            ranked = self._ranked(query, state.known, laps)
            if not len(query.page_items):
                state.ranked[query.surface] = ranked
            if self._slow is None or not self._slow.resting:  # else it lacks what a retriever would give
                self._keep(user, state)
        else:
            self._states.move_to_end(user)
        return self._selected(query, ranked, laps)

    def _know(self, query: Query, laps: Laps | None) -> KnownUser:
        known = self._pipeline.know(query, slow=self._slow)
        if laps:
            laps.end("retrieve")
        self._watch.look_at(known, self._pipeline)
        return known

    def _ranked(self, query: Query, known: KnownUser, laps: Laps | None) -> Ranked:
        ranked = self._pipeline.rank(query, known=known)
        if laps:
            laps.end("rank")
        return ranked

    def _selected(self, query: Query, ranked: Ranked, laps: Laps | None) -> Answer:
        answer = self._pipeline.recommend(query, ranked=ranked)
        if laps:
            laps.end("select")
        return answer

    @contextmanager
    def without_deadline(self) -> Iterator[None]:
        """Meanwhile retrievers may take as long as they need, such as to compile."""
        slow, self._slow = self._slow, None
        try:
            yield
        finally:
            self._slow = slow

    def _is_current(self, state: UserState, query: Query) -> bool:
        return (
            state.history is query.history
            and 0 <= query.as_of - state.as_of <= self._max_age
            and state.num_followed == self._pipeline.num_followed
            and (state.context == query.context or len(query.history) > 0)
        )

    def _is_pinned_to(self, query: Query) -> bool:
        """Whether the user's state is that of a pinned query."""
        state = self._states.get(query.user or "")
        return state is not None and state.history is query.history and state.as_of == query.as_of

    def _keep(self, user: str, state: UserState) -> None:
        earlier = self._states.pop(user, None)
        if earlier is not None:
            self.num_bytes -= earlier.num_bytes
        state.num_bytes = self._size(state)
        self._states[user] = state
        self.num_bytes += state.num_bytes
        while self.num_bytes > self._max_bytes:
            _, oldest = self._states.popitem(last=False)
            self.num_bytes -= oldest.num_bytes

    def _size(self, state: UserState) -> int:
        """Bytes of a state, roughly: what it shares with everybody does not count."""
        found = [
            one
            for name, one in state.known.retrieved.asked.items()
            if not self._pipeline.is_shared(name, one)
        ]
        scored = sum(len(one.items) for one in found) + sum(len(one.items) for one in state.ranked.values())
        return _BYTES_OF_A_STATE + _BYTES_OF_AN_EVENT * len(state.history) + _BYTES_OF_A_SCORE * scored
