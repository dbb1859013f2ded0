"""Which addresses the server listens on, and that none of them is open to other machines without keys.

Ray, its checks and the watchdog reach HAProxy on loopback in any case; an address for other machines is one
more that HAProxy alone listens on (`haproxy_config`).
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Final

from configs.exceptions import ServingError
from serving.access.api_keys import KEYS_FILE, read_keys

_LOOPBACK: Final = "127.0.0.1"


def is_public(host: str) -> bool:
    """Whether other machines can reach an address of this one."""
    try:
        return host != "localhost" and not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True


def local_host(host: str) -> str:
    """The address at which this machine reaches the server."""
    return _LOOPBACK if is_public(host) else host


def check_host(host: str, workspace: Path) -> None:
    """Raises ServingError for an address that other machines reach, where the workspace has no keys; for keys
    that cannot be read; and for what is no IPv4 address."""
    if ":" in host:
        raise ServingError(
            f"serving.host={host}: the server listens on IPv4 only: set serving.host=127.0.0.1."
        )
    keys = read_keys(workspace / KEYS_FILE)
    if not is_public(host):
        return
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        raise ServingError(
            f"serving.host={host} is no IPv4 address: set one of this machine, or 0.0.0.0 for all of them."
        ) from None
    if not keys:
        raise ServingError(
            f"serving.host={host} is reachable from other machines, and {workspace} has no API keys: make "
            "one with `shopkeeper keys create --kind private` and the same --config, --set and --out, or set "
            "serving.host=127.0.0.1."
        )
