"""How many replicas HAProxy sends requests to: it learns of each a moment after it is up."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Final

from serving.deploy.ray_environment import ADMIN_SOCKET

_QUESTION: Final = b"show servers state\n"
_REPLICA: Final = b"SERVE_REPLICA_"
_TIMEOUT_SECONDS: Final = 1.0


def num_replicas_known(run_folder: Path) -> int:
    """0 while HAProxy does not answer. Source: the management guide of HAProxy 2.8, section 9.3."""
    admin_socket = next(run_folder.glob(f"*/{ADMIN_SOCKET}"), None)  # Ray makes a folder for each node
    if admin_socket is None:
        return 0
    try:
        with socket.socket(socket.AF_UNIX) as haproxy:
            haproxy.settimeout(_TIMEOUT_SECONDS)
            haproxy.connect(str(admin_socket))
            haproxy.sendall(_QUESTION)
            answer = b"".join(iter(lambda: haproxy.recv(65_536), b""))
    except OSError:
        return 0
    names = {line.split()[3] for line in answer.splitlines() if len(line.split()) > 3}
    return sum(name.startswith(_REPLICA) for name in names)
