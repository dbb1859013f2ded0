"""The live server: replicas of Ray Serve behind HAProxy, in processes of their own."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from pydantic import TypeAdapter

from configs.console import log
from configs.exceptions import ArtefactError, ServingError
from configs.schema import Config
from serving.access.token_secret import SecretPlace
from serving.deploy.cluster_protocol import REFUSED_ALIAS_FILE, SETTINGS_FILE, STOP
from serving.deploy.haproxy_replicas import num_replicas_known
from serving.deploy.json_log import log_to_file
from serving.deploy.notices import NoticeReader, logger
from serving.deploy.ports import hold_free_ports, hold_port, port_of, release
from serving.deploy.public_host import check_host, is_public, local_host
from serving.deploy.ray_environment import NUM_PORTS, ray_environment
from serving.deploy.run_folder import RunFolder
from serving.deploy.settings import DeploySettings, deploy_settings, log_settings
from serving.deploy.watchdog import Watchdog
from serving.recommend.bundle import Bundle
from serving.state.store_copy import require_whole
from serving.state.store_location import check_store

_OUTPUT: Final = "output.txt"
"""In the run folder: what the process that runs Ray prints, such as a stack trace."""
_READY_SECONDS: Final = 300
_SLOW_SECONDS: Final = 20
"""A start that takes longer is explained on the terminal."""
_STOP_SECONDS: Final = 25
"""After that an orderly stop becomes a kill."""
_WATCH_SECONDS: Final = 0.5
"""Between two looks of the watchdog."""


@dataclass(frozen=True)
class Server:
    """A running server."""

    url: str
    """At which this machine reaches it"""
    run: RunFolder
    process: subprocess.Popen[bytes]
    """The one that runs Ray"""
    notices: NoticeReader
    ports: Sequence[socket.socket]
    """Held for this server"""

    def note_refused_alias(self, reason: str | None) -> None:
        """Let `/readyz` say what is wrong with the bundle that has MLflow's alias; None: nothing is."""
        with contextlib.suppress(OSError):  # the folder is gone: the server has ended
            (self.run.path / REFUSED_ALIAS_FILE).write_text(reason or "", encoding="utf-8")

    def stop(self) -> None:
        """Answer what is in progress, then end every process; the port is free afterwards."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError, subprocess.TimeoutExpired):
            self.process.stdin.write(STOP)
            self.process.stdin.flush()
            self.process.wait(timeout=_STOP_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End every process at once; the port is free afterwards."""
        self.process.kill()
        self.process.wait()
        release(self.ports)
        self.run.remove()


def start(
    config: Config,
    bundle: Path,
    *,
    is_champion: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
) -> Server:
    """Start the server and return when it answers, after about 15 s; the first time on a machine, which
    compiles, after about 40 s.

    `is_champion`: the server follows the workspace's champion, and a former one may stand in for it.
    `should_stop` is asked all the while.

    The bundle, the event store, the keys and the port are checked first, so that a user error is reported
    at once. Raises ArtefactError and ServingError, also where it should stop.
    """
    run = RunFolder.create()
    ports: list[socket.socket] = []
    try:
        log_to_file(log_settings(config))
        settings = deploy_settings(config, bundle, run_folder=run.path, is_champion=is_champion)
        _require_bundle(settings.replica.bundles())
        check_store(settings.replica.store)
        require_whole(settings.replica.store)
        check_host(config.serving.host, config.workspace)
        SecretPlace.of(config.workspace, config.serving).read()
        local = local_host(config.serving.host)
        for host in dict.fromkeys((config.serving.host, local)):
            ports.append(hold_port(host, config.serving.port, setting="serving.port"))
        internal = hold_free_ports(NUM_PORTS)
        ports += internal
        server = Server(
            url=f"http://{local}:{config.serving.port}",
            run=run,
            process=_start_process(settings, run, [port_of(one) for one in internal]),
            notices=NoticeReader(run.path),
            ports=ports,
        )
    except BaseException:
        release(ports)
        run.remove()
        raise
    try:
        _wait_until_ready(server, should_stop, num_replicas=settings.num_replicas)
    except BaseException as error:
        logger.error("not started", extra={"fields": {"reason": str(error)}})
        _keep_ray_logs(run, config.workspace)
        server.kill()
        if isinstance(error, ServingError):
            raise ServingError(f"{error} {_see_log(config)}") from None
        raise
    logger.info("ready", extra={"fields": {"url": server.url, "bundle": str(bundle)}})
    return server


def serve(
    config: Config,
    bundle: Path,
    *,
    is_champion: bool = False,
    ready: Callable[[Server], None] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM, then stop cleanly. `ready` is called when the server answers.

    Raises ServingError when the server has failed and Ray cannot mend it; every process is gone by then.
    """
    stop = _signal_event()
    log(f"Log: {log_settings(config).file}")
    try:
        server = start(config, bundle, is_champion=is_champion, should_stop=stop.is_set)
    except ServingError:
        if stop.is_set():
            return
        raise
    if is_public(config.serving.host):
        log(
            f"Other machines reach it on port {config.serving.port}, with a key. Put TLS before it, since "
            "keys travel as they are."
        )
    try:
        if ready:
            ready(server)
        failure = _watch(server, stop)
    except BaseException:
        server.kill()
        raise
    if failure is None:
        logger.info("stopping")
        server.stop()
        logger.info("stopped")
        return
    logger.error("ended", extra={"fields": {"reason": failure}})
    logs = _keep_ray_logs(server.run, config.workspace)
    server.kill()
    raise ServingError(
        f"The server at {server.url} was ended. {failure} {_see_log(config)} Ray's own logs are in {logs}."
    )


def _watch(server: Server, stop: threading.Event) -> str | None:
    """Why the server failed; None when it should stop."""
    watchdog = Watchdog(server.url, run=server.run, process=server.process, notices=server.notices)
    while not stop.wait(_WATCH_SECONDS):
        if failure := watchdog.failure():
            return failure
    return None


def _see_log(config: Config) -> str:
    return f"The log is {log_settings(config).file}."


def _require_bundle(bundles: Sequence[Path]) -> None:
    """Raises ArtefactError for a bundle that cannot be loaded, unless another may stand in for it."""
    try:
        Bundle.open(bundles[0])
    except ArtefactError:
        if len(bundles) == 1:
            raise


def _start_process(settings: DeploySettings, run: RunFolder, ports: Sequence[int]) -> subprocess.Popen[bytes]:
    """The process that runs Ray. It ends when this one does, however that happens."""
    (run.path / SETTINGS_FILE).write_bytes(TypeAdapter(DeploySettings).dump_json(settings))
    with (run.path / _OUTPUT).open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "serving.deploy.cluster", str(run.path)],
            cwd=run.path,  # Python and Ray import from there first, and the caller may have a `serving` too
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=ray_environment(
                run.path,
                ports,
                max_wait_ms=settings.replica.serving.max_wait_ms,
                public_host=settings.public_host,
            ),
            start_new_session=True,  # Ctrl-C reaches this process alone, which stops the others in order
        )


def _wait_until_ready(server: Server, should_stop: Callable[[], bool], *, num_replicas: int) -> None:
    """Poll /readyz until HAProxy routes to all replicas: then one may die. Raises ServingError."""
    began, is_explained = time.monotonic(), False
    reason = f"It did not answer at {server.url} within {_READY_SECONDS} s."
    while (seconds := time.monotonic() - began) < _READY_SECONDS:
        if seconds > _SLOW_SECONDS and not is_explained:
            is_explained = True
            log("Still starting: the first start on a machine compiles what answers are made with.")
        if should_stop():
            raise ServingError("The server was stopped while it started.")
        ended = server.process.poll() is not None
        for notice in server.notices.new():
            if notice.is_critical:
                raise ServingError(f"The server did not start. {notice.text}")
            log(notice.text)
        if ended:
            reason = f"The process that runs Ray ended: {_last_line(server.run)}"
            break
        try:
            answer = httpx.get(f"{server.url}/readyz", timeout=2, trust_env=False)
            if answer.status_code == 200 and num_replicas_known(server.run.path) >= num_replicas:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise ServingError(f"The server did not start. {reason}")


def _last_line(run: RunFolder) -> str:
    lines = (run.path / _OUTPUT).read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it printed nothing")


def _keep_ray_logs(run: RunFolder, workspace: Path) -> Path:
    """Copy Ray's logs to the workspace, in place of those of an earlier failure."""
    folder = workspace / "logs" / "ray"
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError, shutil.Error):
        shutil.copytree(run.path / "ray" / "session_latest" / "logs", folder, ignore_dangling_symlinks=True)
        shutil.copy(run.path / _OUTPUT, folder)
    return folder


def _signal_event() -> threading.Event:
    """Set at the first SIGINT or SIGTERM."""
    received = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: received.set())
    return received
