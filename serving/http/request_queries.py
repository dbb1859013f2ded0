"""A request becomes a query of the pipeline: who asks, with which history, and for which list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.core.columns import ITEM_EVENT_TYPES
from features.core.filter_expression import FilterError
from features.core.ids import user_key
from features.histories import History, IntArray
from serving.http.cursor import Cursor
from serving.http.live_catalogue import LiveCatalogue
from serving.http.problems import Problem, invalid_field, together
from serving.http.promotion_shares import check_shares
from serving.http.schemas import OPTIONS, ListRequest, ListsRequest, RecommendRequest, UserRequest
from serving.recommend.bundle import Bundle
from serving.recommend.list_options import NO_OPTIONS, ListOptions
from serving.recommend.promotions import Promotion
from serving.recommend.request import Query, no_items
from serving.state.event_log import Event
from serving.state.protocol import StateStore
from serving.state.user_history_cache import history_from_rows, in_dataset_order

_NOT_PUBLIC: Final = "not for a public key, which may name the columns"


@dataclass(frozen=True)
class RequestQueries:
    """Over one catalogue. `columns` are those of it that a request may name; None: all."""

    live: LiveCatalogue
    store: StateStore
    max_events_kept: int

    @property
    def bundle(self) -> Bundle:
        """The bundle that answers."""
        return self.live.pipeline.bundle

    def check(self, request: RecommendRequest, columns: frozenset[str] | None) -> None:
        """Check a request against the surfaces and the catalogue of the bundle. Raises Problem."""
        surfaces, visible = self.bundle.surfaces, self.live.catalogue.visible(columns)
        if request.surface not in surfaces:
            raise invalid_field(
                "surface", f"{request.surface!r} is not a surface of this shop; it has {', '.join(surfaces)}"
            )
        if unknown := [name for name in request.return_fields if name not in visible]:
            whose = "not in the catalogue, whose columns are" if columns is None else _NOT_PUBLIC
            fault = invalid_field("return_fields", f"{', '.join(unknown)}: {whose} {', '.join(visible)}")
            try:
                self._matches(request.filter, columns)
            except Problem as other:
                raise together(fault, other) from None
            raise fault

    def check_conditions(self, request: RecommendRequest, columns: frozenset[str] | None) -> None:
        """Read the conditions of a request, of which no list is made. Raises Problem."""
        self._matches(request.filter, columns)
        self._promotions(request, columns)

    def of_user(
        self, request: UserRequest, events: Sequence[Event], *, as_of: int, is_past: bool = False
    ) -> Query:
        """Who asks, at a moment, with the stored history and the `events` of the request. `is_past`: there
        may be later events in the store, and nothing is looked at that they say."""
        history = self._history(request, events)
        if is_past and history.times.max(initial=0) >= as_of:
            history = history.before(as_of)
        return Query(
            history=history,
            as_of=as_of,
            user_attributes=self._attributes(request.user_id),
            context=_context(request),
            user=user_key(user_id=request.user_id, visitor_id=request.visitor_id),
        )

    def of_list(
        self,
        who: Query,
        request: RecommendRequest,
        *,
        seed: int,
        pinned: Cursor | None,
        columns: frozenset[str] | None,
    ) -> Query:
        """For which list `who` asks. Raises Problem."""
        return replace(
            who,
            surface=request.surface,
            page_items=self.indices(request.item_ids),
            exclude=self.indices(request.exclude_item_ids),
            matches=self._matches(request.filter, columns),
            exclude_purchased_days=request.exclude_purchased_days,
            exclude_viewed_days=request.exclude_viewed_days,
            exclude_cart=request.exclude_cart,
            num_results=request.num_results,
            options=self._options(request, seed, pinned, columns),
        )

    def history(self, key: str | None) -> History:
        """The stored history of a user: the latest `max_events_kept` events of items that the bundle knows;
        empty for None."""
        if key is None:
            return History.empty()
        return self.store.history(key, self.bundle.item_index, limit=self.max_events_kept)

    def indices(self, item_ids: Sequence[str]) -> NDArray[np.int32]:
        """Catalogue indices of the known ids."""
        index = self.bundle.item_index
        return np.array([index[item] for item in item_ids if item in index], np.int32)

    def _attributes(self, user_id: str | None) -> IntArray:
        """What the bundle knows of a user, unless they must not be known."""
        found = self.bundle.user_attributes(user_id)
        if user_id is not None and len(found) and self.store.users.suppression(user_id):
            return found[:0]
        return found

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
        later = history_from_rows(rows, self.bundle.item_index, basket_of={})
        return in_dataset_order(stored.followed_by(later))

    def _matches(self, condition: str | None, columns: frozenset[str] | None) -> NDArray[np.bool_] | None:
        """What a request's filter lets through. Raises Problem."""
        return None if condition is None else self._matching(condition, columns, field="filter")

    def _matching(self, condition: str, columns: frozenset[str] | None, *, field: str) -> NDArray[np.bool_]:
        try:
            return self.live.catalogue.matching(condition, columns)
        except FilterError as error:
            raise invalid_field(field, str(error)) from None

    def _options(
        self, request: ListRequest, seed: int, pinned: Cursor | None, columns: frozenset[str] | None
    ) -> ListOptions:
        """What a request asks for beyond the surface's own list. Raises Problem."""
        is_drawn = self.bundle.surfaces[request.surface].exploration > 0
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
            explain_items=self.indices(request.explain_item_ids) if wants_trace else no_items(),
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


def _context(request: UserRequest) -> Mapping[str, str]:
    """Where a request comes from, in the words of an event's columns."""
    context = request.context if isinstance(request, ListsRequest) else None
    return {} if context is None else context.columns()
