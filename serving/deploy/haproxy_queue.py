"""A queue for lists in HAProxy: `python haproxy_queue.py haproxy.cfg MAX_WAIT_MS MAX_AT_ONCE ERROR_FILE`.

A replica that refuses thousands of requests a second makes few lists: each costs Ray and Python a
millisecond. HAProxy holds them for a hundredth of that. So a replica gets MAX_AT_ONCE lists at once, the
others wait in HAProxy, and after MAX_WAIT_MS they get ERROR_FILE, a whole response.

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
_SERVER: Final = re.compile(r"^ +server (\S+) (\S+)(?!.* backup)", flags=re.MULTILINE)
"""A replica's name and address; Ray's own proxy, which stands in for them, is none."""


def with_queue(text: str, *, max_wait_ms: float, max_at_once: int, error_file: Path) -> str:
    """The configuration with a backend of the same replicas for `/v1/recommend`; unchanged while there are
    no replicas."""
    _, _, app = text.partition(f"\nbackend {_APP}\n")
    app = re.split(r"^\S", app, maxsplit=1, flags=re.MULTILINE)[0]
    replicas = [
        (name, address) for name, address in re.findall(r"^ +server (\S+) (\S+)(?!.* backup)", app, re.M)
    ]
    if not replicas:
        return text
    queue = [
        "backend lists",
        "    http-reuse always",
        f"    timeout queue {max_wait_ms:.0f}ms",
        f"    errorfile 503 {error_file}",
        *(
            f"    server {name} {address} track {_APP}/{name} maxconn {max_at_once}"
            for name, address in replicas
        ),
    ]
    rule = f"    use_backend lists if {{ path /v1/recommend }} {{ nbsrv({_APP}) ge 1 }}\n"
    before, first_rule, after = text.partition("    use_backend ")
    return "\n".join([before + rule + first_rule + after, *queue, ""])


if __name__ == "__main__":
    config = Path(sys.argv[1])
    changed = with_queue(
        config.read_text(),
        max_wait_ms=float(sys.argv[2]),
        max_at_once=int(sys.argv[3]),
        error_file=Path(sys.argv[4]),
    )
    config.write_text(changed)
