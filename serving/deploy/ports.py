"""TCP ports that a server will listen on, held from the moment that they are chosen.

Ten seconds pass between the choice of a port and the process of Ray that listens there. A held port is bound
and does not listen, with SO_REUSEADDR: HAProxy and Ray, which set it too, may listen there, while nobody who
looks for a free port takes it.
"""

from __future__ import annotations

import contextlib
import errno
import random
import socket
from collections.abc import Iterable
from typing import Final

from configs.exceptions import ServingError

_SYSTEM_RANDOM: Final = random.SystemRandom()
"""Not the generator that a training seeds: two processes would choose the same ports."""


def free_ports(count: int) -> list[int]:
    """Unused ports of loopback, below the ranges from which the system and Ray assign ports."""
    held = hold_free_ports(count)
    ports = [port_of(one) for one in held]
    release(held)
    return ports


def hold_free_ports(count: int) -> list[socket.socket]:
    """Hold unused ports of loopback, as in `free_ports`."""
    held: list[socket.socket] = []
    for port in _SYSTEM_RANDOM.sample(range(20_000, 30_000), 1_000):
        if len(held) == count:
            break
        with contextlib.suppress(OSError):
            held.append(_hold("127.0.0.1", port, is_shared=False))
    return held


def hold_port(host: str, port: int, *, setting: str) -> socket.socket:
    """Hold a port of the user's choice.

    Raises ServingError when it cannot be used; the message suggests another value for `setting`.
    """
    try:
        return _hold(host, port, is_shared=True)
    except OSError as error:
        is_in_use = error.errno == errno.EADDRINUSE
        reason = "is in use" if is_in_use else f"cannot be used ({error.strerror})"
        raise ServingError(
            f"Port {port} on {host} {reason}: stop the program that listens there, or choose another "
            f"port with --set {setting}={port + 1}."
        ) from None


def port_of(held: socket.socket) -> int:
    """The number of a held port."""
    return int(held.getsockname()[1])


def release(held: Iterable[socket.socket]) -> None:
    """Let others have these ports."""
    for one in held:
        one.close()


def _hold(host: str, port: int, *, is_shared: bool) -> socket.socket:
    """`is_shared`: also where others hold the port, or connections of an earlier program still fade away."""
    held = socket.socket()
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(is_shared))
        held.bind((host, port))
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    except BaseException:
        held.close()
        raise
    return held
