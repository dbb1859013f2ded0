"""One replica: a process of Ray Serve that has the bundle in memory and the event store open.

Import it only after `ray_environment.set_ray_environment`: Ray reads its settings when it is imported.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ray import serve
from starlette.types import ASGIApp

from serving.http.app import build_app
from serving.http.loopback_guard import OwnMachineOnly
from serving.http.service import Service
from serving.recommend.pipeline import Pipeline
from serving.state.live_events import Money
from serving.state.store import EventStore

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
    """The shop's currency; None for the one of the bundle."""
    exchange_rates: dict[str, float]
    host: str
    """Where it is served"""


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
        money = Money(currency=settings.currency, rates=settings.exchange_rates)
        self._service = Service(pipeline, self._store, max_events_kept=settings.max_events_kept, money=money)
        self._service.warm_up()
        self._settings = settings

    async def __serve_build_asgi_app__(self) -> ASGIApp:
        return OwnMachineOnly(
            build_app(self._service, max_body_bytes=self._settings.max_body_bytes), host=self._settings.host
        )

    def check_health(self) -> None:
        """Ray asks every two seconds; an error means that this replica is replaced."""
        self._store.check()
