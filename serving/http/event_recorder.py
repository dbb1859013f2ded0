"""Stores events: those of `POST /v1/events`, checked one by one, and those that a list is asked to record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence

from features.core.ids import user_key
from serving.access.caller import NamedUser
from serving.http.problems import invalid_field
from serving.http.request_events import Recording, recording_of
from serving.http.schemas import EventsResponse, ListsRequest, RecordedEvents, RejectedEvent
from serving.recommend.watch import Watch
from serving.state.event_log import Event
from serving.state.live_events import (
    ExchangeRates,
    InvalidEventError,
    LiveEvent,
    Seen,
    parse_event,
    to_rows,
    without_excluded,
)
from serving.state.protocol import StateStore


class EventRecorder:
    """One for each server process."""

    def __init__(
        self,
        store: StateStore,
        *,
        exclude: frozenset[str],
        exchange_rates: ExchangeRates,
        clock: Callable[[], int],
        watch: Watch,
    ) -> None:
        """`exclude`: ids that are no people, see `data.exclude`."""
        self._store, self._exclude, self._clock = store, exclude, clock
        self._watch = watch
        self.exchange_rates = exchange_rates

    async def record(self, events: Sequence[object], *, only: NamedUser | None = None) -> EventsResponse:
        """Check events one by one and store the valid ones; returns when those are on disk.

        `only`: the user whom they may name; None: any.
        """
        now = self._clock()
        rows: list[Event] = []
        valid: dict[int, LiveEvent] = {}
        rejected: list[RejectedEvent] = []
        seen: Seen = Counter()
        for index, value in enumerate(events):
            try:
                valid[index] = self._of_a_person(_named_rightly(parse_event(value), only))
            except InvalidEventError as error:
                rejected.append(RejectedEvent(index, error.field, error.message))
        keys = {key for event in valid.values() for key in _keys(event).values()}
        refusing = self._store.users.without_consent(keys)
        for index, event in valid.items():
            try:
                _require_consent(event, refusing)
                rows += to_rows(event, now=now, exchange_rates=self.exchange_rates, seen=seen)
            except InvalidEventError as error:
                rejected.append(RejectedEvent(index, error.field, error.message))
        rejected.sort(key=lambda one: one.index)
        if not rows:
            return EventsResponse(accepted=0, duplicates=0, rejected=rejected)
        stored = await self._store.append(rows, received_at=now)
        if self._watch.listener is not None:
            self._watch.listener.note_event_lag((now - min(row.timestamp for row in rows)) / 1e6)
        return EventsResponse(accepted=stored.accepted, duplicates=stored.duplicates, rejected=rejected)

    def recording(self, request: ListsRequest) -> Recording | None:
        """The events that a request wants to be stored; None where it wants none. Raises Problem."""
        if not request.record:
            return None
        rates = self.exchange_rates
        recording = recording_of(request, exclude=self._exclude, now=self._clock(), exchange_rates=rates)
        if self._store.users.without_consent(recording.users):
            raise invalid_field("record", "true: the user has not consented, and nothing is stored")
        return recording

    async def store(self, recording: Recording) -> RecordedEvents:
        """Store the events of a request; returns when they are on disk. Raises ServingError."""
        if not recording.rows:
            return RecordedEvents(accepted=0, duplicates=0)
        stored = await self._store.append(recording.rows, received_at=recording.now)
        return RecordedEvents(accepted=stored.accepted, duplicates=stored.duplicates)

    def _of_a_person(self, event: LiveEvent) -> LiveEvent:
        """The event without an id that is no person's. Raises InvalidEventError when it has no other."""
        own = without_excluded(event, self._exclude)
        if own is not event and own.user_id is None and own.visitor_id is None:
            raise InvalidEventError(
                "user_id", "is in data.exclude: it is no person, and there is no other id"
            )
        return own


def _named_rightly(event: LiveEvent, only: NamedUser | None) -> LiveEvent:
    """The event, unless it names another user than it may. Raises InvalidEventError."""
    if only is not None and event.user_id is not None and (refusal := only.refusal_of(event.user_id)):
        raise InvalidEventError("user_id", refusal)
    return event


def _keys(event: LiveEvent) -> dict[str, str]:
    """Field of an event -> the key of the user whom it names."""
    keys = {
        "user_id": user_key(user_id=event.user_id, visitor_id=None),
        "visitor_id": user_key(user_id=None, visitor_id=event.visitor_id),
    }
    return {field: key for field, key in keys.items() if key is not None}


def _require_consent(event: LiveEvent, refusing: Collection[str]) -> None:
    """Raises InvalidEventError for an event of one of those who did not consent."""
    for field, key in _keys(event).items():
        if key in refusing:
            raise InvalidEventError(field, "has not consented: nothing of this event was stored")
