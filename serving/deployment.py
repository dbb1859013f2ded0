"""One replica: a process of Ray Serve that has the bundle in memory and the event store open.

Import it only after `ray_environment.set_ray_environment`: Ray reads its settings when it is imported.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ray import serve
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.api import build_app
from serving.live_events import Money
from serving.pipeline import Pipeline
from serving.problems import Problem
from serving.service import Service
from serving.store import EventStore

MAX_ONGOING: Final = 1_000
"""Ray's own limit, above the app's: `overload.py` refuses earlier, and with problem details."""


@dataclass(frozen=True)
class ReplicaSettings:
    """What a replica needs to know; it is sent to its process."""

    bundle: Path
    store: Path
    max_events_kept: int
    max_body_bytes: int
    currency: str | None
    """The shop's currency; None for the one that the catalogue names."""
    exchange_rates: dict[str, float]


class LoopbackOnly:
    """Refuses peers from elsewhere: a replica's own port listens on every interface, and there are no keys yet."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._is_loopback(scope.get("client")):
            await self._app(scope, receive, send)
        else:
            refusal = Problem(403, "This server has no keys, so it answers programs on its own machine alone.")
            await refusal.response()(scope, receive, send)

    def _is_loopback(self, client: Any) -> bool:
        try:
            return bool(client) and ipaddress.ip_address(client[0]).is_loopback
        except ValueError:
            return False


@serve.deployment(
    name="shopkeeper",
    max_ongoing_requests=MAX_ONGOING,
    ray_actor_options={"num_cpus": 0},
    health_check_period_s=2,
    health_check_timeout_s=10,
    graceful_shutdown_timeout_s=5,
    logging_config={"enable_access_log": False},
)
@serve.ingress()
class Replica:
    """Loads everything before it takes a request; Ray starts another when it dies."""

    def __init__(self, settings: ReplicaSettings) -> None:
        pipeline = Pipeline.load(settings.bundle)
        self._store = EventStore.open(settings.store)
        money = Money(currency=settings.currency, rates=settings.exchange_rates) if settings.currency else None
        self._service = Service(pipeline, self._store, max_events_kept=settings.max_events_kept, money=money)
        self._service.warm_up()
        self._max_body_bytes = settings.max_body_bytes

    async def __serve_build_asgi_app__(self) -> ASGIApp:
        return LoopbackOnly(build_app(self._service, max_body_bytes=self._max_body_bytes))

    def check_health(self) -> None:
        """Ray asks every two seconds; an error means that this replica is replaced."""
        self._store.check()
