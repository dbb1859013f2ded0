"""What the endpoints do: a request becomes a query of the pipeline or rows of the event log, and the result a
response. It runs without a server."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.core.columns import ITEM_EVENT_TYPES
from features.core.ids import clean_id, user_key
from features.histories import History, IntArray
from serving.access.caller import NamedUser
from serving.http.cursor import FIRST_PAGE, MAX_PLACES, Cursor, bundle_hash, request_hash
from serving.http.exploration_log import log_exploration
from serving.http.live_catalogue import LiveCatalogue
from serving.http.problems import Problem, in_field, invalid_field
from serving.http.promotion_shares import check_shares
from serving.http.request_events import Recording, recording_of, rows_of, without_identity
from serving.http.schemas import (
    OPTIONS,
    BundleVersion,
    EventsResponse,
    ItemReason,
    ListRequest,
    ListsRequest,
    PageRequest,
    PageResponse,
    RankedItem,
    RankRequest,
    RankResponse,
    RecommendedItem,
    RecommendRequest,
    RecommendResponse,
    RecordedEvents,
    RejectedEvent,
    UserRequest,
)
from serving.http.trace_response import list_trace
from serving.recommend.exploration import seed_of
from serving.recommend.filter_expression import FilterError
from serving.recommend.list_options import NO_OPTIONS, ListOptions
from serving.recommend.pipeline import Pipeline
from serving.recommend.promotions import Promotion
from serving.recommend.request import Query, Recommendation, no_items
from serving.recommend.slow_retrievers import SlowRetrievers
from serving.recommend.user_states import UserStates
from serving.state.event_log import Event
from serving.state.item_store import ItemChange
from serving.state.live_events import (
    ExchangeRates,
    InvalidEventError,
    LiveEvent,
    Seen,
    parse_event,
    to_rows,
    without_excluded,
)
from serving.state.store import EventStore
from serving.state.user_history_cache import history_from_rows, in_dataset_order

_NOT_PUBLIC: Final = "not for a public key, which may name the columns"


def now_in_microseconds() -> int:
    """Wall-clock time, microseconds since 1970 UTC."""
    return time.time_ns() // 1000


class Service:
    """Recommends and records events. One for each server process."""

    def __init__(
        self,
        pipeline: Pipeline,
        store: EventStore,
        *,
        max_events_kept: int,
        user_state_mb: float = 0,
        user_state_seconds: float = 0,
        retriever_deadline_ms: float | None = None,
        exchange_rates: ExchangeRates | None = None,
        exclude: Sequence[str] = (),
        clock: Callable[[], int] = now_in_microseconds,
    ) -> None:
        """`exclude`: ids that are no people, see `data.exclude`. Where `exchange_rates` names no currency, it
        is the one of the bundle, or of its catalogue."""
        self.store = store
        self._rates = exchange_rates or ExchangeRates()
        self._exclude = frozenset(clean_id(text) for text in exclude)
        self._max_events_kept = max_events_kept
        self._state_bytes, self._state_seconds = int(user_state_mb * 1e6), user_state_seconds
        self._slow = (
            SlowRetrievers(deadline_seconds=retriever_deadline_ms / 1000) if retriever_deadline_ms else None
        )
        self._clock = clock
        self._growing = asyncio.Lock()
        self.use(self.prepare(pipeline))

    def prepare(self, pipeline: Pipeline) -> LiveCatalogue:
        """Another pipeline with all that was put or deleted since its bundle was made. In any thread."""
        live = LiveCatalogue(pipeline, self._rates.currency or pipeline.bundle.currency)
        changes = self.store.items.changed(since=live.number)
        return live if live.follow(changes) else live.grown(live.after(changes), now=self._clock())

    def use(self, live: LiveCatalogue) -> None:
        """Answer with it from now on, and drop what is kept of the present one. Call it between two
        requests."""
        self.live, self.pipeline, self.catalogue = live, live.pipeline, live.catalogue
        currency = live.currency or live.catalogue.currency
        self.exchange_rates = replace(self._rates, currency=currency)
        self._states = UserStates(
            live.pipeline, max_bytes=self._state_bytes, max_age_seconds=self._state_seconds, slow=self._slow
        )

    def now(self) -> int:
        """Microseconds since 1970 UTC."""
        return self._clock()

    async def follow_items(self) -> None:
        """Carry out what any process has put or deleted, new items included."""
        async with self._growing:
            while changes := self._follow_in_place():
                live = self.live
                larger = await asyncio.to_thread(live.grown, changes, now=self._clock())
                if live is self.live:  # else a swap came first
                    self.use(larger)

    def _follow_in_place(self) -> Sequence[ItemChange]:
        """Carry out what needs no larger bundle, such as what is sold out. Returns what is left."""
        changes = self.store.items.changed(since=self.live.number)
        return () if not changes or self.live.follow(changes) else self.live.after(changes)

    def recommend(
        self,
        request: RecommendRequest,
        recording: Recording | None = None,
        *,
        columns: frozenset[str] | None = None,
    ) -> RecommendResponse:
        """The list that a request asks for. Raises Problem for an invalid request, and ServingError when the
        store cannot be read.

        `recording`: what `recording` made of the request, if it has `record`; `store_recording` comes after.
        `columns`: those of the catalogue that the request may name; None: all.
        """
        self._follow_in_place()
        bundle = self.pipeline.bundle
        self._check(request, columns)
        request = without_identity(request, self._exclude)
        pinned = self._pinned(request)
        if request.validate_only:
            return self._validated(request, columns)
        query, events = self._query(request, recording, pinned)
        recommendation_id = uuid.uuid4().hex
        seed = pinned.seed if pinned else seed_of(recommendation_id)
        offset = pinned.offset if pinned else 0
        answer = self._states.recommend(
            replace(
                query,
                surface=request.surface,
                page_items=self._indices(request.item_ids),
                exclude=self._indices(request.exclude_item_ids),
                matches=self._matches(request.filter, columns),
                exclude_purchased_days=request.exclude_purchased_days,
                exclude_viewed_days=request.exclude_viewed_days,
                exclude_cart=request.exclude_cart,
                num_results=request.num_results,
                options=self._options(request, seed, pinned, columns),
            )
        )
        shown, shortfall_reason = answer.recommendations, answer.shortfall_reason
        if offset + len(shown) > MAX_PLACES:
            shown, shortfall_reason = shown[: MAX_PLACES - offset], f"a list has {MAX_PLACES} places at most"
        found = RecommendResponse(
            recommendation_id=recommendation_id,
            bundle=BundleVersion(name=bundle.name, version=bundle.version),
            items=[
                self._item(recommendation, rank=rank, return_fields=request.return_fields)
                for rank, recommendation in enumerate(shown, start=offset + 1)
            ],
            requested=answer.requested,
            returned=len(shown),
            shortfall_reason=shortfall_reason,
            fallback_used=answer.fallback_used,
            unknown_item_ids=self._unknown_item_ids(request, events),
            trace=list_trace(answer.trace, request.explain_item_ids, item_index=bundle.item_index),
        )
        is_paged = request.cursor is not None and answer.has_more
        if is_paged and offset + request.num_results < MAX_PLACES:
            found.cursor = self._cursor(request, answer.as_of, offset + request.num_results, seed)
        if request.consent:
            log_exploration(found, surface=request.surface, seed=seed)
        return found

    def page(
        self,
        request: PageRequest,
        recording: Recording | None = None,
        *,
        columns: frozenset[str] | None = None,
    ) -> PageResponse:
        """One list after the other, each without what is in an earlier one. Raises what `recommend` does; its
        field is then that of the slot."""
        who = {name: getattr(request, name) for name in ListsRequest.model_fields}
        shown: list[str] = []
        slots: list[RecommendResponse] = []
        for place, slot in enumerate(request.slots):
            wanted = {name: getattr(slot, name) for name in ListRequest.model_fields}
            wanted["exclude_item_ids"] = [*slot.exclude_item_ids, *shown]
            try:
                asked = RecommendRequest.model_construct(**who, **wanted)
                found = self.recommend(asked, recording, columns=columns)
            except Problem as problem:
                raise in_field(f"slots.{place}", problem) from None
            shown += [item.item_id for item in found.items]
            slots.append(found)
        return PageResponse(slots)

    def rank(self, request: RankRequest) -> RankResponse:
        """The items in the order in which the user would want them; among equals in the given one. Raises
        Problem for an invalid event, and ServingError when the store cannot be read."""
        self._follow_in_place()
        bundle = self.pipeline.bundle
        query, _ = self._query(without_identity(request, self._exclude))
        index = bundle.item_index
        known = [item for item in dict.fromkeys(request.item_ids) if item in index]
        scores = self.pipeline.score(query, self._indices(known)) if known else np.empty(0, np.float32)
        order = np.argsort(-scores, kind="stable").tolist()
        return RankResponse(
            bundle=BundleVersion(name=bundle.name, version=bundle.version),
            items=[
                RankedItem(known[place], rank, float(scores[place]))
                for rank, place in enumerate(order, start=1)
            ],
            unknown_item_ids=[item for item in dict.fromkeys(request.item_ids) if item not in index],
        )

    async def record(self, events: Sequence[object], *, only: NamedUser | None = None) -> EventsResponse:
        """Check events one by one and store the valid ones; returns when those are on disk.

        `only`: the user whom they may name; None: any.
        """
        now = self._clock()
        rows: list[Event] = []
        rejected: list[RejectedEvent] = []
        seen: Seen = Counter()
        for index, value in enumerate(events):
            try:
                event = self._of_a_person(_named_rightly(parse_event(value), only))
                self._require_consent(event)
                rows += to_rows(event, now=now, exchange_rates=self.exchange_rates, seen=seen)
            except InvalidEventError as error:
                rejected.append(RejectedEvent(index, error.field, error.message))
        if not rows:
            return EventsResponse(accepted=0, duplicates=0, rejected=rejected)
        stored = await self.store.append(rows, received_at=now)
        return EventsResponse(accepted=stored.accepted, duplicates=stored.duplicates, rejected=rejected)

    def recording(self, request: ListsRequest) -> Recording | None:
        """The events that a request wants to be stored; None where it wants none. Raises Problem."""
        if not request.record:
            return None
        rates = self.exchange_rates
        recording = recording_of(request, exclude=self._exclude, now=self._clock(), exchange_rates=rates)
        for key in recording.users:
            if self.store.users.suppression(key) == "no_consent":
                raise invalid_field("record", "true: the user has not consented, and nothing is stored")
        return recording

    async def store_recording(self, recording: Recording) -> RecordedEvents:
        """Store the events of a request; returns when they are on disk. Raises ServingError."""
        if not recording.rows:
            return RecordedEvents(accepted=0, duplicates=0)
        stored = await self.store.append(recording.rows, received_at=recording.now)
        return RecordedEvents(accepted=stored.accepted, duplicates=stored.duplicates)

    def _of_a_person(self, event: LiveEvent) -> LiveEvent:
        """The event without an id that is no person's. Raises InvalidEventError when it has no other."""
        own = without_excluded(event, self._exclude)
        if own is not event and own.user_id is None and own.visitor_id is None:
            raise InvalidEventError(
                "user_id", "is in data.exclude: it is no person, and there is no other id"
            )
        return own

    def _require_consent(self, event: LiveEvent) -> None:
        """Raises InvalidEventError for an event of somebody who did not consent."""
        keys = {
            "user_id": user_key(user_id=event.user_id, visitor_id=None),
            "visitor_id": user_key(user_id=None, visitor_id=event.visitor_id),
        }
        for field, key in keys.items():
            if key is not None and self.store.users.suppression(key) == "no_consent":
                raise InvalidEventError(field, "has not consented: nothing of this event was stored")

    def kept(self) -> dict[str, int]:
        """What is in memory between requests, by the names of the metrics."""
        return {
            "user_states": len(self._states),
            "user_state_bytes": self._states.num_bytes,
            "histories": self.store.num_cached_users,
            "history_events": self.store.num_cached_events,
            "new_items": self.live.num_new,
        }

    def history(self, user_key: str | None) -> History:
        """The stored history of a user: the latest `max_events_kept` events of items that the bundle knows;
        empty for None."""
        if user_key is None:
            return History.empty()
        return self.store.history(user_key, self.pipeline.bundle.item_index, limit=self._max_events_kept)

    def warm_up(self) -> None:
        """Recommend once, to somebody who just bought what sells most, so that the first caller does not wait
        for what is loaded and compiled at first use."""
        item_ids = self.pipeline.bundle.item_ids
        popular = [item_ids[int(item)] for item in self.pipeline.most_popular(1)]
        bought = [LiveEvent(event_type="purchase", item_id=item, price=1.0) for item in popular]
        with self._states.without_deadline():
            for surface in self.pipeline.bundle.surfaces:
                self.recommend(
                    RecommendRequest(surface=surface, item_ids=popular, events=bought, exploration=0)
                )

    def _check(self, request: RecommendRequest, columns: frozenset[str] | None) -> None:
        """Check a request against the surfaces and the catalogue of the bundle. Raises Problem."""
        surfaces, visible = self.pipeline.bundle.surfaces, self.catalogue.visible(columns)
        if request.surface not in surfaces:
            raise invalid_field(
                "surface", f"{request.surface!r} is not a surface of this shop; it has {', '.join(surfaces)}"
            )
        if unknown := [name for name in request.return_fields if name not in visible]:
            whose = "not in the catalogue, whose columns are" if columns is None else _NOT_PUBLIC
            raise invalid_field("return_fields", f"{', '.join(unknown)}: {whose} {', '.join(visible)}")

    def _validated(self, request: RecommendRequest, columns: frozenset[str] | None) -> RecommendResponse:
        """The answer to a request that is to be checked only: no list. Raises Problem."""
        bundle = self.pipeline.bundle
        events = self._request_events(request, now=self._clock())
        self._matches(request.filter, columns)
        self._promotions(request, columns)
        return RecommendResponse(
            recommendation_id=uuid.uuid4().hex,
            bundle=BundleVersion(name=bundle.name, version=bundle.version),
            items=[],
            requested=request.num_results,
            returned=0,
            shortfall_reason=None,
            fallback_used=None,
            unknown_item_ids=self._unknown_item_ids(request, events),
            validated=True,
        )

    def _pinned(self, request: RecommendRequest) -> Cursor | None:
        """Where the list goes on; None for a new one. Raises Problem."""
        if request.cursor is None or request.cursor == FIRST_PAGE:
            return None
        cursor = Cursor.decoded(request.cursor)
        cursor.require(bundle_version=self.pipeline.bundle.version, request=request)
        return cursor

    def _cursor(self, request: RecommendRequest, as_of: int, offset: int, seed: int) -> str:
        """The cursor of the next page."""
        bundle = bundle_hash(self.pipeline.bundle.version)
        return Cursor(as_of, offset, seed, bundle, request_hash(request)).encoded()

    def _query(
        self, request: UserRequest, recording: Recording | None = None, pinned: Cursor | None = None
    ) -> tuple[Query, Sequence[Event]]:
        """Who asks, with the history and the events of the request. Raises Problem."""
        now = pinned.as_of - 1 if pinned else recording.now if recording else self._clock()
        events = recording.rows if recording else self._request_events(request, now=now)
        history = self._history(request, events)
        if pinned and history.times.max(initial=0) > now:
            history = history.before(pinned.as_of)
        query = Query(
            history=history,
            as_of=now + 1,  # includes events at `now`
            user_attributes=self._attributes(request.user_id),
            user=user_key(user_id=request.user_id, visitor_id=request.visitor_id),
        )
        return query, events

    def _attributes(self, user_id: str | None) -> IntArray:
        """What the bundle knows of a user, unless they must not be known."""
        found = self.pipeline.bundle.user_attributes(user_id)
        if user_id is not None and len(found) and self.store.users.suppression(user_id):
            return found[:0]
        return found

    def _request_events(self, request: UserRequest, *, now: int) -> list[Event]:
        """The events in a request as events of its user. Raises Problem."""
        return rows_of(request, now=now, exchange_rates=self.exchange_rates)

    def _history(self, request: UserRequest, events: Sequence[Event]) -> History:
        """The stored history of the user, followed by the events in the request that are not stored."""
        user = user_key(user_id=request.user_id, visitor_id=request.visitor_id)
        stored = self.history(user)
        if not events:
            return stored
        new = {event.key: event for event in events}.values()  # of a stranger nothing stored is looked at
        first = int(stored.baskets.max(initial=0)) + 1
        rows = [
            (first + place, row.item_id or "", row.event_type, row.timestamp, row.transaction_id, row.price)
            for place, row in enumerate(new if user is None else self.store.without_stored(events))
            if row.event_type in ITEM_EVENT_TYPES
        ]
        later = history_from_rows(rows, self.pipeline.bundle.item_index, basket_of={})
        return in_dataset_order(stored.followed_by(later))

    def _indices(self, item_ids: Sequence[str]) -> NDArray[np.int32]:
        """Catalogue indices of the known ids."""
        index = self.pipeline.bundle.item_index
        return np.array([index[item] for item in item_ids if item in index], np.int32)

    def _matches(self, condition: str | None, columns: frozenset[str] | None) -> NDArray[np.bool_] | None:
        """What a request's filter lets through. Raises Problem."""
        return None if condition is None else self._matching(condition, columns, field="filter")

    def _matching(self, condition: str, columns: frozenset[str] | None, *, field: str) -> NDArray[np.bool_]:
        try:
            return self.catalogue.matching(condition, columns)
        except FilterError as error:
            raise invalid_field(field, str(error)) from None

    def _options(
        self, request: ListRequest, seed: int, pinned: Cursor | None, columns: frozenset[str] | None
    ) -> ListOptions:
        """What a request asks for beyond the surface's own list. Raises Problem."""
        is_drawn = self.pipeline.bundle.surfaces[request.surface].exploration > 0
        if pinned is None and not is_drawn and request.model_fields_set.isdisjoint(OPTIONS):
            return NO_OPTIONS
        wants_trace = request.wants_trace
        return ListOptions(
            diversity=request.diversity,
            promotions=self._promotions(request, columns),
            exploration=request.exploration,
            seed=seed,
            offset=pinned.offset if pinned else 0,
            is_pinned=pinned is not None,
            explain=wants_trace,
            explain_items=self._indices(request.explain_item_ids) if wants_trace else no_items(),
        )

    def _promotions(self, request: ListRequest, columns: frozenset[str] | None) -> tuple[Promotion, ...]:
        """What a request promotes. Raises Problem."""
        if not request.promotions:
            return ()
        check_shares(request)
        promotions = []
        for place, one in enumerate(request.promotions):
            matches = self._matching(one.filter, columns, field=f"promotions.{place}.filter")
            promotions.append(Promotion(one.name, matches, one.share))
        return tuple(promotions)

    def _unknown_item_ids(self, request: RecommendRequest, events: Sequence[Event]) -> list[str]:
        """The item ids of a request that the catalogue lacks, each once."""
        named = [*request.item_ids, *request.exclude_item_ids, *request.explain_item_ids]
        named += [event.item_id for event in events if event.item_id]
        index = self.pipeline.bundle.item_index
        return list(dict.fromkeys(item for item in named if item not in index))

    def _item(
        self, recommendation: Recommendation, *, rank: int, return_fields: Sequence[str]
    ) -> RecommendedItem:
        item_ids = self.pipeline.bundle.item_ids
        fields = self.catalogue.fields(recommendation.item, return_fields) if return_fields else {}
        return RecommendedItem(
            item_id=item_ids[recommendation.item],
            rank=rank,
            score=recommendation.score,
            source=recommendation.source,
            reasons=[
                ItemReason(reason.code, reason.text, None if reason.item is None else item_ids[reason.item])
                for reason in recommendation.reasons
            ],
            fields=fields,
            promotion=recommendation.promotion,
            propensity=recommendation.propensity,
        )


def _named_rightly(event: LiveEvent, only: NamedUser | None) -> LiveEvent:
    """The event, unless it names another user than it may. Raises InvalidEventError."""
    if only is not None and event.user_id is not None and (refusal := only.refusal_of(event.user_id)):
        raise InvalidEventError("user_id", refusal)
    return event
