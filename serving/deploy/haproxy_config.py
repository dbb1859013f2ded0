"""What Shopkeeper changes in the configuration that Ray writes for HAProxy.

`haproxy.cfg` is written anew at every change of the replicas, so HAProxy is started by a short script that
runs this file on it first: `python haproxy_config.py haproxy.cfg ERROR_FOLDER PUBLIC_HOST`. It needs nothing
but Python.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

STATUSES = (400, 408, 413, 500, 502, 503, 504)
"""Answers of HAProxy's own; `ERROR_FOLDER/<status>.http` has the whole response."""

_DROPPED = re.compile(
    r"(log\s|log-format|option httplog|option log-health-checks)"  # to syslog, with paths that have user ids
    r"|errorfile\s"  # Ray's plain text
    r"|http-request return status 404 "  # while there is no replica; without it the answer is 503
    r"|server .* backup$"  # Ray's own proxy, where requests wait until there is a replica
)
_PUBLIC_BIND = re.compile(r"(bind) +(:|\*:|0\.0\.0\.0:)")
_API_BIND = re.compile(
    r"(?P<before>^frontend http_frontend$.*?)\n +bind 127\.0\.0\.1:(?P<port>\d+)$", re.MULTILINE | re.DOTALL
)
_ANY_HOST = "0.0.0.0"
"""Has loopback among it."""
_NO_PAGES_OF_RAY = "    http-request deny deny_status 403 if { path_beg /-/ } !{ src 127.0.0.0/8 }"
_DEFAULTS = """\
    option http-buffer-request
    timeout http-request 10s
    timeout client 30s
    timeout server 10s
    timeout connect 500ms
    timeout queue 5s
    timeout check 2s
"""
"""Without a limit of its own a health check has its interval, a quarter of a second after the first failure:
on a machine that is busy for so long every replica would be taken for dead."""
_FRONTEND = """\
    http-request disable-l7-retry if { path_beg /v1/events }
    http-request del-header x-request-id unless { req.hdr(x-request-id) -m reg ^[A-Za-z0-9._:-]{1,128}$ }
"""
"""Events without an event_id would count twice; everything else may be sent again to another replica.
Ray makes a request id where there is none, and returns any that there is."""


def changed(text: str, *, errors: Path) -> str:
    """The configuration with loopback for every page, no log, whole requests, time limits, and problem
    details for every error of HAProxy's own."""
    lines: list[str] = []
    for line in text.splitlines():
        setting = line.strip()
        if _DROPPED.match(setting) or (setting.startswith("timeout ") and _sets_again(setting)):
            continue
        lines.append(_PUBLIC_BIND.sub(r"\1 127.0.0.1:", line))
        if setting == "defaults":
            lines += _DEFAULTS.splitlines()
            lines += [f"    errorfile {status} {errors / f'{status}.http'}" for status in STATUSES]
        elif setting == "frontend http_frontend":
            lines += _FRONTEND.splitlines()
    return "\n".join(lines) + "\n"


def _sets_again(setting: str) -> bool:
    """Whether a line of Ray's sets a time limit of `_DEFAULTS`."""
    return f"    {' '.join(setting.split()[:2])} " in _DEFAULTS


def reachable_at(text: str, *, host: str) -> str:
    """A changed configuration whose API other machines reach at `host`, but not Ray's own pages (`/-/`)."""

    def binds(found: re.Match[str]) -> str:
        hosts = [host] if host == _ANY_HOST else ["127.0.0.1", host]
        lines = [f"    bind {one}:{found['port']}" for one in hosts]
        return "\n".join([found["before"], *lines, _NO_PAGES_OF_RAY])

    return _API_BIND.sub(binds, text, count=1)


if __name__ == "__main__":
    config, public_host = Path(sys.argv[1]), sys.argv[3]
    text = changed(config.read_text(), errors=Path(sys.argv[2]))
    config.write_text(reachable_at(text, host=public_host) if public_host else text)
