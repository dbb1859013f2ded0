"""Metrics of one server process, for Prometheus."""

from __future__ import annotations

import os
import time
from collections import Counter as Counting
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from features.core.columns import ITEM_EVENT_TYPES
from serving.http.load_shedding import OWN_LANE

ABORTED: Final = 499
"""The status of requests whose caller hung up before the answer, as nginx counts them."""

_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Upper bounds of the latency histogram."""

_LAG_SECONDS: Final = (1.0, 5.0, 30.0, 60.0, 300.0, 3_600.0, 86_400.0)
_EVENTS: Final = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500)

_KEPT: Final = {
    "user_states": "Users of whom more than the history is kept between requests.",
    "user_state_bytes": "What their states take, roughly.",
    "histories": "Users whose histories are in memory.",
    "history_events": "Events of these histories.",
    "new_items": "Items that were added since the bundle was made.",
}

_METHODS: Final = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
"""Others are counted as one: a client may send any word, and each would be a time series for ever."""


class RequestMetrics:
    """The metrics of one app. Each app has its own registry, so that two in one process do not mix."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        counter, histogram = partial(Counter, registry=registry), partial(Histogram, registry=registry)
        self._requests = counter(
            "shopkeeper_requests", "Requests by route, method and status.", ["route", "method", "status"]
        )
        self._seconds = histogram(
            "shopkeeper_request_seconds", "Time to answer.", ["route"], buckets=_SECONDS
        )
        self._lists = counter("shopkeeper_lists", "Lists by surface and kind.", ["surface", "kind"])
        self._unknown = counter("shopkeeper_unknown_items", "Ids in requests that the catalogue lacks.")
        self._events = counter("shopkeeper_events", "Events by result.", ["result"])
        self._lag = histogram(
            "shopkeeper_event_lag_seconds", "Age of a request's oldest event.", buckets=_LAG_SECONDS
        )
        self._stages = histogram(
            "shopkeeper_stage_seconds", "Time of a stage, of one list in 8.", ["stage"], buckets=_SECONDS
        )
        self._recall = Summary(
            "shopkeeper_index_recall",
            "Share of the items nearest to a user that the index finds, of one user in 512.",
            registry=registry,
        )
        self._inputs = histogram(
            "shopkeeper_encoder_inputs", "Events that the encoder reads, of one user in 512.", buckets=_EVENTS
        )
        self._input_events = counter(
            "shopkeeper_encoder_input_events", "The same events by type.", ["event_type"]
        )
        for name in ITEM_EVENT_TYPES:  # so that one that stays away is seen as 0
            self._input_events.labels(name)
        self._is_writable = Gauge(
            "shopkeeper_event_log_writable",
            "1 where events are stored, 0 where they are refused.",
            registry=registry,
        )
        self._kept = {
            name: Gauge(f"shopkeeper_{name}", text, registry=registry) for name, text in _KEPT.items()
        }
        process = Gauge("shopkeeper_process_info", "The process of this replica.", ["pid"], registry=registry)
        process.labels(os.getpid()).set(1)

    def count_request(self, *, route: str, method: str, status: int) -> None:
        """Count one request."""
        self._requests.labels(route, method if method in _METHODS else "other", status).inc()

    def time_request(self, *, route: str, seconds: float) -> None:
        """Add the latency of one request."""
        self._seconds.labels(route).observe(seconds)

    def count_list(
        self, surface: str, *, fallback: bool, short: bool, empty: bool = False, unknown: int = 0
    ) -> None:
        """Count a list as `empty`, `short`, `fallback` (completely or partly filled by the fallback) or
        `personal`, and the unknown item ids of its request."""
        kind = "empty" if empty else "short" if short else "fallback" if fallback else "personal"
        self._lists.labels(surface, kind).inc()
        if unknown:
            self._unknown.inc(unknown)

    def time_stage(self, stage: str, seconds: float) -> None:
        """See `serving.recommend.watch.Listener`."""
        self._stages.labels(stage).observe(seconds)

    def note_index_recall(self, share: float) -> None:
        """See `serving.recommend.watch.Listener`."""
        self._recall.observe(share)

    def note_encoder_inputs(self, event_types: Sequence[str]) -> None:
        """See `serving.recommend.watch.Listener`."""
        self._inputs.observe(len(event_types))
        for name, count in Counting(event_types).items():
            self._input_events.labels(name).inc(count)

    def note_event_lag(self, seconds: float) -> None:
        """See `serving.recommend.watch.Listener`."""
        self._lag.observe(seconds)

    def count_events(self, *, accepted: int, duplicates: int, rejected: int) -> None:
        """Count rows stored, rows that were stored before, and events rejected."""
        self._events.labels("accepted").inc(accepted)
        self._events.labels("duplicate").inc(duplicates)
        self._events.labels("rejected").inc(rejected)

    def note_kept(self, kept: Mapping[str, int]) -> None:
        """What is in memory between requests at this scrape, by the names of `_KEPT`."""
        for name, gauge in self._kept.items():
            gauge.set(kept[name])

    def note_event_log(self, *, is_writable: bool) -> None:
        """Whether events are stored at this scrape."""
        self._is_writable.set(is_writable)


class MeasureRequests:
    """Middleware that counts and times requests by route. Paths would not do: their ids would create a time
    series each. A request that was refused before it came to a route is counted by its path where that is
    one of load shedding, and not timed."""

    def __init__(self, app: ASGIApp, metrics: RequestMetrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = None
        start = time.perf_counter()

        async def send_and_note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_note_status)
        except Exception:
            status = status or 500
            raise
        finally:
            self._count(scope, status=status or ABORTED, seconds=time.perf_counter() - start)

    def _count(self, scope: Scope, *, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", None)
        if route is not None and status != ABORTED:
            self._metrics.time_request(route=route, seconds=seconds)
        elif route is None and scope["path"] in OWN_LANE:
            route = scope["path"]
        self._metrics.count_request(route=route or "none", method=scope["method"], status=status)
