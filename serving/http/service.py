"""What the endpoints do: a request becomes a query of the pipeline, and what it finds a response. It runs
without a server."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from configs.settings.customers import CustomersConfig
from features.core.ids import clean_id
from serving.http.cursor import FIRST_PAGE, MAX_PLACES, Cursor, bundle_hash, request_hash
from serving.http.event_recorder import EventRecorder
from serving.http.exploration_log import log_exploration
from serving.http.list_response import bundle_version, list_response, validated_response
from serving.http.live_catalogue import LiveCatalogue
from serving.http.problems import Problem, in_field, invalid_field
from serving.http.request_events import Recording, rows_of, without_identity
from serving.http.request_queries import RequestQueries
from serving.http.schemas import (
    ListRequest,
    ListsRequest,
    PageRequest,
    PageResponse,
    RankedItem,
    RankRequest,
    RankResponse,
    RecommendRequest,
    RecommendResponse,
)
from serving.recommend.exploration import seed_of
from serving.recommend.pipeline import Pipeline
from serving.recommend.request import Answer
from serving.recommend.row_value import row_value
from serving.recommend.slow_retrievers import SlowRetrievers
from serving.recommend.user_states import UserStates
from serving.recommend.watch import Watch
from serving.state.live_events import ExchangeRates, LiveEvent
from serving.state.protocol import ItemChange, StateStore

_DEFAULT_RULES: Final = CustomersConfig()


def now_in_microseconds() -> int:
    """Wall-clock time, microseconds since 1970 UTC."""
    return time.time_ns() // 1000


class Service:
    """Recommends, with the catalogue and the events as they are. One for each server process."""

    def __init__(
        self,
        pipeline: Pipeline,
        store: StateStore,
        *,
        max_events_kept: int,
        user_state_mb: float = 0,
        user_state_seconds: float = 0,
        retriever_deadline_ms: float | None = None,
        exchange_rates: ExchangeRates | None = None,
        exclude: Sequence[str] = (),
        customers: CustomersConfig = _DEFAULT_RULES,
        clock: Callable[[], int] = now_in_microseconds,
    ) -> None:
        """`exclude`: ids that are no people, see `data.exclude`. `customers`: rules of life stages.
        Where `exchange_rates` names no currency, it is the one of the bundle, or of its catalogue."""
        self.store = store
        self._rates = exchange_rates or ExchangeRates()
        self.customers = customers
        self._exclude = frozenset(clean_id(text) for text in exclude)
        self._max_events_kept = max_events_kept
        self._state_bytes, self._state_seconds = int(user_state_mb * 1e6), user_state_seconds
        self._slow = (
            SlowRetrievers(deadline_seconds=retriever_deadline_ms / 1000) if retriever_deadline_ms else None
        )
        self._clock, self.watch = clock, Watch()
        self.recorder = EventRecorder(
            store, exclude=self._exclude, exchange_rates=self._rates, clock=clock, watch=self.watch
        )
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
        self.queries = RequestQueries(live, self.store, self._max_events_kept)
        self.exchange_rates = replace(self._rates, currency=live.currency or live.catalogue.currency)
        self.recorder.exchange_rates = self.exchange_rates
        self._states = UserStates(
            live.pipeline,
            max_bytes=self._state_bytes,
            max_age_seconds=self._state_seconds,
            slow=self._slow,
            watch=self.watch,
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
        self.queries.check(request, columns)
        request = without_identity(request, self._exclude)
        pinned = self._pinned(request)
        now = pinned.as_of - 1 if pinned else recording.now if recording else self._clock()
        events = (
            recording.rows if recording else rows_of(request, now=now, exchange_rates=self.exchange_rates)
        )
        recommendation_id = uuid.uuid4().hex
        if request.validate_only:
            self.queries.check_conditions(request, columns)
            return validated_response(request, events, live=self.live, recommendation_id=recommendation_id)
        seed = pinned.seed if pinned else seed_of(recommendation_id)
        offset = pinned.offset if pinned else 0
        who = self.queries.of_user(request, events, as_of=now + 1, is_past=pinned is not None)
        query = self.queries.of_list(who, request, seed=seed, pinned=pinned, columns=columns)
        answer = _within_places(self._states.recommend(query), offset)
        found = list_response(
            answer, request, events, live=self.live, recommendation_id=recommendation_id, offset=offset
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
        """One list after the other, each without what is in an earlier one; then in the order that the
        request wants. Raises what `recommend` does; its field is then that of the slot."""
        who = {name: getattr(request, name) for name in ListsRequest.model_fields}
        value_of = self._row_values(request, recording) if request.order == "value" else None
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
        values = (
            [value_of(slot, found) for slot, found in zip(request.slots, slots, strict=True)]
            if value_of
            else []
        )
        known = [value for value in values if value is not None]
        if len(known) < len(slots):
            return PageResponse(slots, list(range(len(slots))))
        order = np.argsort(-np.array(known), kind="stable").tolist()
        return PageResponse([slots[place] for place in order], order, [known[place] for place in order])

    def _row_values(
        self, request: PageRequest, recording: Recording | None
    ) -> Callable[[ListRequest, RecommendResponse], float | None]:
        """Gives what a row of a page brings. Raises Problem where the bundle cannot say."""
        self._follow_in_place()
        pipeline, queries = self.pipeline, self.queries
        if pipeline.page_value is None:
            raise invalid_field(
                "order",
                "value needs probabilities of outcomes, and the ranker of this bundle tells none: set "
                "ranker.outcomes or the weights of a surface, train, and export",
            )
        who = without_identity(request, self._exclude)
        now = recording.now if recording else self._clock()
        events = recording.rows if recording else rows_of(who, now=now, exchange_rates=self.exchange_rates)
        query = queries.of_user(who, events, as_of=now + 1)
        known = pipeline.know(query)

        def value_of(slot: ListRequest, found: RecommendResponse) -> float | None:
            asked = replace(query, surface=slot.surface, page_items=queries.indices(slot.item_ids))
            items = queries.indices([item.item_id for item in found.items])
            return row_value(pipeline, asked, items, known=known)

        return value_of

    def rank(self, request: RankRequest) -> RankResponse:
        """The items in the order in which the user would want them; among equals in the given one. Raises
        Problem for an invalid event, and ServingError when the store cannot be read."""
        self._follow_in_place()
        request, now = without_identity(request, self._exclude), self._clock()
        events = rows_of(request, now=now, exchange_rates=self.exchange_rates)
        query = self.queries.of_user(request, events, as_of=now + 1)  # includes events at `now`
        index = self.pipeline.bundle.item_index
        known = [item for item in dict.fromkeys(request.item_ids) if item in index]
        items = self.queries.indices(known)
        scores = self.pipeline.score(query, items) if known else np.empty(0, np.float32)
        order = np.argsort(-scores, kind="stable").tolist()
        return RankResponse(
            bundle=bundle_version(self.live),
            items=[
                RankedItem(known[place], rank, float(scores[place]))
                for rank, place in enumerate(order, start=1)
            ],
            unknown_item_ids=[item for item in dict.fromkeys(request.item_ids) if item not in index],
        )

    def kept(self) -> dict[str, int]:
        """What is in memory between requests, by the names of the metrics."""
        return {
            "user_states": len(self._states),
            "user_state_bytes": self._states.num_bytes,
            "histories": self.store.num_cached_users,
            "history_events": self.store.num_cached_events,
            "new_items": self.live.num_new,
        }

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


def _within_places(answer: Answer, offset: int) -> Answer:
    """The answer without what stands after the last place of a list."""
    if offset + len(answer.recommendations) <= MAX_PLACES:
        return answer
    return replace(
        answer,
        recommendations=answer.recommendations[: MAX_PLACES - offset],
        shortfall_reason=f"a list has {MAX_PLACES} places at most",
    )
