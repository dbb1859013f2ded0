"""What a Prometheus server scrapes from one server process."""

from __future__ import annotations

import os
import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LATENCIES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class Metrics:
    """The counters of one app. Each app has its own registry, so that two in one process do not mix."""

    def __init__(self, *, bundle_name: str, bundle_version: str) -> None:
        self.registry = CollectorRegistry()
        labels = ["route", "method", "status"]
        self.requests = Counter(
            "shopkeeper_requests", "Requests by route and status.", labels, registry=self.registry
        )
        self.seconds = Histogram(
            "shopkeeper_request_seconds",
            "Time to answer.",
            ["route"],
            buckets=_LATENCIES,
            registry=self.registry,
        )
        self.lists = Counter(
            "shopkeeper_lists", "Lists by surface and outcome.", ["surface", "kind"], registry=self.registry
        )
        self.events = Counter(
            "shopkeeper_events", "Events sent, by what became of them.", ["result"], registry=self.registry
        )
        bundle = Gauge(
            "shopkeeper_bundle_info", "The bundle that answers.", ["name", "version"], registry=self.registry
        )
        bundle.labels(bundle_name, bundle_version).set(1)
        process = Gauge(
            "shopkeeper_process_info", "The replica that was scraped.", ["pid"], registry=self.registry
        )
        process.labels(os.getpid()).set(1)

    def count_list(self, surface: str, *, fallback: bool, short: bool) -> None:
        """`personal`, `fallback` (something else filled it, in part or whole) or `short`."""
        self.lists.labels(surface, "short" if short else "fallback" if fallback else "personal").inc()

    def count_events(self, *, accepted: int, duplicates: int, rejected: int) -> None:
        """Rows stored, rows known already, and events refused."""
        self.events.labels("accepted").inc(accepted)
        self.events.labels("duplicate").inc(duplicates)
        self.events.labels("rejected").inc(rejected)


class MeasureRequests:
    """Counts and times every request by the route it went to (never by its path: ids would make it
    unbounded)."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500
        start = time.perf_counter()

        async def noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting_status)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            self._metrics.requests.labels(route, scope["method"], status).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - start)
