"""One replica: a process of Ray Serve with the bundle in memory and the event store open.

Import it only with the environment of `ray_environment`: Ray reads its settings when it is imported.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from ray import serve
from starlette.types import ASGIApp

from configs.exceptions import StoreAwayError
from serving.access.access import Access
from serving.deploy.all_metrics import AllMetrics
from serving.deploy.bundle_follower import BundleFollower
from serving.deploy.cluster_protocol import LOADING_FILE, REFUSED_ALIAS_FILE
from serving.deploy.direct_server import listen
from serving.deploy.fallback_bundle import load_first
from serving.deploy.item_follower import follow_items
from serving.deploy.json_log import log_to_file
from serving.deploy.notices import NoticeHandler, logger
from serving.deploy.public_host import is_public
from serving.deploy.settings import ReplicaSettings
from serving.deploy.warm_bundle import warm_service
from serving.http.app import build_app
from serving.http.loopback_guard import LoopbackGuard
from serving.http.request_log import RequestLog
from serving.http.service import Service
from serving.recommend.held_bundle import HeldBundle
from serving.recommend.pipeline import Pipeline
from serving.state.live_events import ExchangeRates
from serving.state.store_location import open_store

_SWITCH_SECONDS: Final = 0.0005
"""How long a thread keeps the interpreter's lock while another waits for it. With Python's 5 ms an event that
is on disk would wait for a list or two before its caller is told."""

MAX_ONGOING_REQUESTS: Final = 1_000
"""Ray's own limit. It is above those of load shedding, which refuses with problem details."""


@serve.deployment(
    name="shopkeeper",
    max_ongoing_requests=MAX_ONGOING_REQUESTS,
    ray_actor_options={"num_cpus": 0},
    health_check_period_s=2,
    health_check_timeout_s=5,
    graceful_shutdown_timeout_s=5,
    logging_config={"enable_access_log": False},
)
@serve.ingress()
class Replica:
    """Loads everything before it accepts requests; Ray starts another one when it dies."""

    def __init__(self, settings: ReplicaSettings) -> None:
        log_to_file(settings.log)
        logger.addHandler(NoticeHandler(settings.run_folder))
        self._settings = settings
        try:
            self._store = open_store(settings.store)
            loaded = load_first(settings.bundles(), self._load)
        except Exception as error:
            logger.critical("A server process cannot start. %s", error)
            raise
        self._status, self._held = loaded.status, HeldBundle()
        self._held.hold(loaded.folder)
        self._service = loaded.made
        sys.setswitchinterval(_SWITCH_SECONDS)
        _keep_from_collection()
        bundle = self._service.pipeline.bundle
        logger.info("replica ready", extra={"fields": {"bundle": bundle.name, "version": bundle.version}})

    def _load(self, folder: Path) -> Service:
        """For the start, and in a thread for each later champion."""
        return warm_service(folder, service_of=self._service_of, turn=self._settings.run_folder)

    def _service_of(self, pipeline: Pipeline) -> Service:
        settings = self._settings
        return Service(
            pipeline,
            self._store,
            max_events_kept=settings.serving.max_events_kept,
            user_state_mb=settings.serving.user_state_mb,
            user_state_seconds=settings.serving.user_state_seconds,
            retriever_deadline_ms=settings.serving.retriever_deadline_ms,
            exchange_rates=ExchangeRates(currency=settings.currency, rates=settings.exchange_rates),
            exclude=settings.exclude,
            customers=settings.customers,
        )

    async def __serve_build_asgi_app__(self) -> ASGIApp:
        """For Ray's own port; lists and events come to the socket that listens from here on."""
        serving, log = self._settings.serving, self._settings.log
        access = Access.of(self._settings.workspace, serving, is_public=is_public(serving.host))
        app = build_app(self._service, serving, access=access, status=self._status)
        guarded = LoopbackGuard(app, serving, access.keys)
        replica = serve.get_replica_context().replica_id.unique_id
        all_metrics = AllMetrics(guarded, sockets=self._settings.run_folder, replica=replica)
        seen, with_id = (
            RequestLog(
                all_metrics,
                slow_seconds=log.slow_seconds,
                with_user_ids=log.with_user_ids,
                returns_id=returns_id,
            )
            for returns_id in (False, True)  # Ray returns the id itself
        )
        await listen(with_id, self._settings.run_folder, replica=replica)
        self._follower = asyncio.create_task(follow_items(self._service))
        self._follow_champion()
        return seen

    def _follow_champion(self) -> None:
        """Swap in this loop, which answers the requests, from now on."""
        workspace, folder = self._settings.followed_workspace, self._settings.run_folder
        if workspace is None:
            return
        turn = folder / LOADING_FILE
        turn.touch()
        follower = BundleFollower(
            self._service,
            workspace=workspace,
            status=self._status,
            load=self._load,
            held=self._held,
            turn=turn,
            refused_alias=folder / REFUSED_ALIAS_FILE,
            after_swap=_keep_from_collection,
        )
        self._following = asyncio.get_running_loop().create_task(follower.run())

    def check_health(self) -> None:
        """Called by Ray every two seconds; Ray replaces a replica whose check raises. Another replica would
        not bring back a store that is away."""
        with suppress(StoreAwayError):
            self._store.check()


def _keep_from_collection() -> None:
    """What is loaded by now is no garbage: without this, each full collection walks all of it.

    A bundle that is swapped out is freed all the same, as soon as nothing refers to it: no part of it refers
    back to it.
    """
    gc.collect()
    gc.freeze()
