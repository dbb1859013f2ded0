"""The live server: replicas of Ray Serve behind HAProxy, on loopback."""

from __future__ import annotations

import contextlib
import errno
import io
import ipaddress
import logging
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import httpx

from configs.exceptions import ServingError
from configs.schema import Config
from serving.deploy.ray_environment import set_ray_environment
from serving.recommend.bundle import Bundle
from serving.state.event_log import connect
from serving.state.store import STORE_FILE

_READY_SECONDS: Final = 60
_LOGS: Final = "Ray's logs are in /tmp/ray/session_latest/logs."
_OBJECT_STORE_BYTES: Final = 80 * 2**20
"""Nothing goes through Ray's object store; this is close to the minimum that Ray accepts."""


@dataclass(frozen=True)
class Server:
    """A running server."""

    url: str
    run_folder: Path

    def stop(self) -> None:
        """End the replicas, HAProxy and Ray; the port is free afterwards."""
        import ray
        from ray import serve

        with contextlib.redirect_stdout(io.StringIO()):  # Ray prints there that its controller is gone
            try:
                if ray.is_initialized():  # else it would start Ray to have something to shut down
                    serve.shutdown()
            finally:
                ray.shutdown()
                shutil.rmtree(self.run_folder, ignore_errors=True)


def start(config: Config, bundle_folder: Path) -> Server:
    """Start the server and return when it answers, after about 15 s.

    The bundle, the event store (`events.db` in the workspace) and the port are checked first, so that a user
    error is reported at once. Raises ArtefactError and ServingError.
    """
    store = config.workspace / STORE_FILE
    Bundle.open(bundle_folder)
    connect(store).close()
    _refuse_public_host(config.serving.host)
    refuse_used_port(config.serving.host, config.serving.port, setting="serving.port")
    run_folder = Path(tempfile.mkdtemp(prefix="shopkeeper-"))
    set_ray_environment(run_folder, max_wait_ms=config.serving.max_wait_ms)
    server = Server(url=f"http://{config.serving.host}:{config.serving.port}", run_folder=run_folder)
    try:
        _deploy(config, bundle_folder.resolve(), store.resolve())
        _wait_until_ready(server.url)
    except BaseException:
        server.stop()
        raise
    return server


def serve(config: Config, bundle_folder: Path, *, ready: Callable[[Server], None] | None = None) -> None:
    """Serve until SIGINT or SIGTERM, then stop cleanly. `ready` is called when the server answers."""
    server = start(config, bundle_folder)
    try:
        wait_for_signal = _signal_event()
        if ready:
            ready(server)
        wait_for_signal.wait()
    finally:
        server.stop()


def _deploy(config: Config, bundle_folder: Path, store: Path) -> None:
    import ray
    from ray import serve as ray_serve

    from serving.deploy.replica import Replica, ReplicaSettings

    for name in ("ray", "ray.serve"):
        logging.getLogger(name).setLevel(logging.ERROR)
    settings = ReplicaSettings(
        bundle=bundle_folder,
        store=store,
        serving=config.serving,
        currency=config.prepare.currency,
        exchange_rates=dict(config.prepare.exchange_rates),
        exclude=config.data.exclude,
    )
    replicas = cast(Any, Replica).options(num_replicas=config.serving.num_replicas)
    try:
        ray.init(
            address="local",
            num_cpus=max(1, config.serving.num_replicas),
            object_store_memory=_OBJECT_STORE_BYTES,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
        ray_serve.start(http_options={"host": config.serving.host, "port": config.serving.port})
        ray_serve.run(replicas.bind(settings), name="shopkeeper", route_prefix="/")
    except (RuntimeError, OSError, ValueError, ray.exceptions.RayError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ServingError(f"The server did not start. {lines[-1]} {_LOGS}") from error


def _wait_until_ready(url: str) -> None:
    """Poll /readyz: HAProxy routes to the replicas a moment after they are up. Raises ServingError."""
    until = time.monotonic() + _READY_SECONDS
    while time.monotonic() < until:
        try:
            if httpx.get(f"{url}/readyz", timeout=2, trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise ServingError(f"The server at {url} did not answer within {_READY_SECONDS} s. {_LOGS}")


def _refuse_public_host(host: str) -> None:
    """Raises ServingError for an address that other machines can reach, and for IPv6."""
    try:
        is_loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if is_loopback and ":" in host:
        raise ServingError(
            f"serving.host={host}: the server listens on IPv4 only: set serving.host=127.0.0.1."
        )
    if not is_loopback:
        raise ServingError(
            f"serving.host={host} is reachable from other machines, and the server has no API keys yet: set "
            "serving.host=127.0.0.1."
        )


def refuse_used_port(host: str, port: int, *, setting: str) -> None:
    """Raises ServingError when the port cannot be used; the message suggests another value for `setting`."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            is_in_use = error.errno == errno.EADDRINUSE
            reason = "is in use" if is_in_use else f"cannot be used ({error.strerror})"
            raise ServingError(
                f"Port {port} on {host} {reason}: stop the program that listens there, or choose another "
                f"port with --set {setting}={port + 1}."
            ) from None


def _signal_event() -> threading.Event:
    """Set at the first SIGINT or SIGTERM."""
    received = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: received.set())
    return received
