"""One replica: a process of Ray Serve with the bundle in memory and the event store open.

Import it only after `ray_environment.set_ray_environment`: Ray reads its settings when it is imported.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ray import serve
from starlette.types import ASGIApp

from configs.settings.services import ServingConfig
from serving.http.app import build_app
from serving.http.loopback_guard import LoopbackGuard
from serving.http.service import Service
from serving.recommend.pipeline import Pipeline
from serving.state.live_events import ExchangeRates
from serving.state.store import EventStore

MAX_ONGOING_REQUESTS: Final = 1_000
"""Ray's own limit. It is above those of load shedding, which refuses with problem details."""


@dataclass(frozen=True)
class ReplicaSettings:
    """The settings of a replica. Ray sends them to its process."""

    bundle: Path
    store: Path
    serving: ServingConfig
    currency: str | None
    """The shop's currency; None for the one of the bundle."""
    exchange_rates: dict[str, float]
    """Another currency -> what one unit of it is worth in the shop's."""
    exclude: tuple[str, ...]
    """Ids that are no people, see `data.exclude`."""


@serve.deployment(
    name="shopkeeper",
    max_ongoing_requests=MAX_ONGOING_REQUESTS,
    ray_actor_options={"num_cpus": 0},
    health_check_period_s=2,
    health_check_timeout_s=10,
    graceful_shutdown_timeout_s=5,
    logging_config={"enable_access_log": False},
)
@serve.ingress()
class Replica:
    """Loads everything before it accepts requests; Ray starts another one when it dies."""

    def __init__(self, settings: ReplicaSettings) -> None:
        pipeline = Pipeline.load(settings.bundle)
        self._store = EventStore.open(settings.store)
        self._service = Service(
            pipeline,
            self._store,
            max_events_kept=settings.serving.max_events_kept,
            exchange_rates=ExchangeRates(currency=settings.currency, rates=settings.exchange_rates),
            exclude=settings.exclude,
        )
        self._service.warm_up()
        self._settings = settings

    async def __serve_build_asgi_app__(self) -> ASGIApp:
        app = build_app(self._service, self._settings.serving)
        return LoopbackGuard(app, self._settings.serving)

    def check_health(self) -> None:
        """Called by Ray every two seconds; Ray replaces a replica whose check raises."""
        self._store.check()
