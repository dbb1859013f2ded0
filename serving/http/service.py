"""What the endpoints do, with no HTTP in it: a pipeline, the event store and a clock."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from features.core.columns import ITEM_EVENT_TYPES
from features.core.ids import user_key
from features.histories import History
from serving.http.catalogue import Catalogue
from serving.http.problems import Problem
from serving.http.schemas import RecommendRequest
from serving.recommend.pipeline import Pipeline
from serving.recommend.request import Answer, Query, Recommendation
from serving.state.event_log import Event
from serving.state.live_events import Money, Rejection, parse_event, to_rows
from serving.state.store import EventStore
from serving.state.user_history_cache import history_from_rows, in_dataset_order

_STRANGER: Final = "the asker"


def now_in_microseconds() -> int:
    """The clock on the wall."""
    return time.time_ns() // 1000


@dataclass(frozen=True)
class Recorded:
    """What became of the events of a request."""

    accepted: int
    duplicates: int
    rejected: tuple[tuple[int, str, str], ...]
    """(index, field, message)"""


class Service:
    """Answers and records. One for each server process."""

    def __init__(
        self,
        pipeline: Pipeline,
        store: EventStore,
        *,
        max_events_kept: int,
        money: Money | None = None,
        clock: Callable[[], int] = now_in_microseconds,
    ) -> None:
        """Where `money` names no currency, it is the one of the bundle's data, or of its catalogue."""
        self.pipeline, self.store = pipeline, store
        bundle, money = pipeline.bundle, money or Money()
        currency = money.currency or bundle.currency
        self.catalogue = Catalogue(
            bundle.catalogue, popularity=np.asarray(bundle.tables.popularity), currency=currency
        )
        self._max_events_kept = max_events_kept
        self._money = replace(money, currency=currency or self.catalogue.currency)
        self._clock = clock

    def recommend(self, request: RecommendRequest) -> dict[str, Any]:
        """The body of the answer, by the schema `RecommendResponse`. Raises Problem, and ServingError without
        a store."""
        bundle = self.pipeline.bundle
        self._check(request)
        now = self._clock()
        recent = self._rows(request, now=now)
        named = [
            *request.item_ids,
            *request.exclude_item_ids,
            *(row.item_id for row in recent if row.item_id),
        ]
        query = Query(
            history=self._history(request, recent),
            as_of=now + 1,  # what happens now has happened
            surface=request.surface,
            page_items=self._indices(request.item_ids),
            exclude=self._indices(request.exclude_item_ids),
            num_results=request.num_results,
            user_attributes=bundle.user_attributes(request.user_id),
        )
        answer = self.pipeline.recommend(query)
        return {
            "recommendation_id": uuid.uuid4().hex,
            "bundle": {"name": bundle.name, "version": bundle.version},
            "items": self._items(answer, request.return_fields),
            "requested": answer.requested,
            "returned": len(answer.recommendations),
            "shortfall_reason": answer.shortfall_reason,
            "fallback_used": answer.fallback_used,
            "unknown_item_ids": list(dict.fromkeys(item for item in named if item not in bundle.item_index)),
        }

    async def record(self, events: Sequence[object]) -> Recorded:
        """Check events one by one and store the good ones; returns when those are on the disk."""
        now = self._clock()
        rows: list[Event] = []
        rejected: list[tuple[int, str, str]] = []
        for index, value in enumerate(events):
            try:
                rows += to_rows(parse_event(value), now=now, money=self._money)
            except Rejection as rejection:
                rejected.append((index, rejection.field, rejection.message))
        if not rows:
            return Recorded(accepted=0, duplicates=0, rejected=tuple(rejected))
        stored = await self.store.append(rows, received_at=now)
        return Recorded(accepted=stored.accepted, duplicates=stored.duplicates, rejected=tuple(rejected))

    def history(self, who: str | None) -> History:
        """Everything the store has of a person that an answer may look at."""
        if who is None:
            return History.empty()
        return self.store.history(who, self.pipeline.bundle.item_index, limit=self._max_events_kept)

    def warm_up(self) -> None:
        """Answer once, so that the first caller does not wait for what is made at first use."""
        popular = self.pipeline.most_popular(1)
        self.recommend(
            RecommendRequest(item_ids=[self.pipeline.bundle.item_ids[int(item)] for item in popular])
        )

    def _check(self, request: RecommendRequest) -> None:
        surfaces, columns = self.pipeline.bundle.surfaces, self.catalogue.columns
        if request.surface not in surfaces:
            message = f"{request.surface!r} is no surface of this shop; there are: {', '.join(surfaces)}"
            raise Problem(422, f"surface: {message}.", errors=[("surface", message)])
        if unknown := [name for name in request.return_fields if name not in columns]:
            message = f"{', '.join(unknown)}: not in the catalogue, whose columns are: {', '.join(columns)}"
            raise Problem(422, f"return_fields: {message}.", errors=[("return_fields", message)])

    def _rows(self, request: RecommendRequest, *, now: int) -> list[Event]:
        """The request's own events, as the asker's."""
        rows: list[Event] = []
        who = {"user_id": request.user_id, "visitor_id": request.visitor_id or _STRANGER}
        for index, event in enumerate(request.events):
            try:
                rows += to_rows(event.model_copy(update=who), now=now, money=self._money)
            except Rejection as rejection:
                field = f"events.{index}.{rejection.field}"
                raise Problem(
                    422, f"{field} {rejection.message}.", errors=[(field, rejection.message)]
                ) from None
        return rows

    def _history(self, request: RecommendRequest, recent: Sequence[Event]) -> History:
        stored = self.history(user_key(user_id=request.user_id, visitor_id=request.visitor_id))
        if not recent:
            return stored
        first = int(stored.baskets.max(initial=0)) + 1
        rows = [
            (first + place, row.item_id or "", row.event_type, row.timestamp, row.transaction_id, row.price)
            for place, row in enumerate(recent)
            if row.event_type in ITEM_EVENT_TYPES
        ]
        return in_dataset_order(
            stored.followed_by(history_from_rows(rows, self.pipeline.bundle.item_index, basket_of={}))
        )

    def _indices(self, item_ids: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
        index = self.pipeline.bundle.item_index
        return np.array([index[item] for item in item_ids if item in index], np.int32)

    def _items(self, answer: Answer, return_fields: Sequence[str]) -> list[dict[str, Any]]:
        return [
            self._item(rank, recommendation, return_fields)
            for rank, recommendation in enumerate(answer.recommendations, start=1)
        ]

    def _item(
        self, rank: int, recommendation: Recommendation, return_fields: Sequence[str]
    ) -> dict[str, Any]:
        item_ids = self.pipeline.bundle.item_ids
        return {
            "item_id": item_ids[recommendation.item],
            "rank": rank,
            "score": recommendation.score,
            "source": recommendation.source,
            "reasons": [
                {
                    "code": reason.code,
                    "text": reason.text,
                    "item_id": None if reason.item is None else item_ids[reason.item],
                }
                for reason in recommendation.reasons
            ],
            "fields": self.catalogue.fields(recommendation.item, return_fields),
        }
