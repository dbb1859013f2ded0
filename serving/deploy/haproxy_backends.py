"""Backends for lists (and orders of items) and for events.

`python haproxy_backends.py haproxy.cfg MAX_WAIT_MS MAX_AT_ONCE ERROR_FILE SOCKETS` adds them. They send to
the replicas' own sockets in the folder SOCKETS (`direct_server`), past Ray's code.

A replica that refuses thousands of requests a second makes few lists: each costs Python a millisecond.
HAProxy holds them for a hundredth of that. So a replica gets MAX_AT_ONCE lists at once, the others wait in
HAProxy, and after MAX_WAIT_MS they get ERROR_FILE, a whole response. A user's lists come from one replica
while it is up and has no more than its share to do: that one has the user's history and state in memory.

Ray writes `haproxy.cfg` anew at every change of the replicas; HAProxy is started by a script that runs this
file on it first. It needs nothing but Python.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final

_APP: Final = "http-shopkeeper"
"""Ray's name of the backend."""
_SERVER: Final = re.compile(r"^ +server (\S+) (?!.* backup)", flags=re.MULTILINE)
"""A replica's name; Ray's own proxy, which stands in for them, is none."""
_SAME_REPLICA: Final = (
    "    http-request set-var(txn.user) req.body,json_query('$.user_id')",
    "    http-request set-var(txn.user) req.body,json_query('$.visitor_id')"
    " unless { var(txn.user) -m found }",
    "    balance hash var(txn.user)",
    "    hash-type consistent",
    "    hash-balance-factor 150",
)
"""Consistent hashing with bounded loads (Mirrokni, Thorup & Zadimoghaddam 2018, arXiv:1608.01350): a replica
gets at most 1.5 times the mean. Whose body names nobody, or does not fit HAProxy's buffer, gets any."""


def socket_name(replica: str) -> str:
    """The file name of a replica's socket. `replica`: its id, or HAProxy's name of it, which ends with it."""
    return f"{replica.rpartition('-')[2]}.sock"


def with_backends(text: str, *, max_wait_ms: float, max_at_once: int, error_file: Path, sockets: Path) -> str:
    """The configuration with backends of the same replicas for lists and orders, and for events; unchanged
    while there are no replicas."""
    _, _, app = text.partition(f"\nbackend {_APP}\n")
    app = re.split(r"^\S", app, maxsplit=1, flags=re.MULTILINE)[0]
    names = _SERVER.findall(app)
    if not names:
        return text
    servers = [f"    server {name} unix@{sockets / socket_name(name)} track {_APP}/{name}" for name in names]
    backends = [
        "backend lists",
        "    http-reuse always",
        *_SAME_REPLICA,
        f"    timeout queue {max_wait_ms:.0f}ms",
        f"    errorfile 503 {error_file}",
        *(f"{server} maxconn {max_at_once}" for server in servers),
        "backend events",
        "    http-reuse always",
        *servers,
    ]
    rules = "".join(
        f"    use_backend {backend} if {{ path {path} }} {{ nbsrv({_APP}) ge 1 }}\n"
        for path, backend in (("/v1/recommend /v1/page /v1/rank", "lists"), ("/v1/events", "events"))
    )
    before, first_rule, after = text.partition("    use_backend ")
    return "\n".join([before + rules + first_rule + after, *backends, ""])


if __name__ == "__main__":
    config = Path(sys.argv[1])
    changed = with_backends(
        config.read_text(),
        max_wait_ms=float(sys.argv[2]),
        max_at_once=int(sys.argv[3]),
        error_file=Path(sys.argv[4]),
        sockets=Path(sys.argv[5]),
    )
    config.write_text(changed)
