"""Clients that begin a request and never end it."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from typing import Final

from benchmarks.faults.played import Played
from benchmarks.faults.shop import STEADY_SECONDS, Shop, played
from benchmarks.faults.traffic import Traffic

CLIENTS: Final = 200
SECONDS: Final = 20.0
_HEAD: Final = b"POST /v1/recommend HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{"


def play(shop: Shop) -> Iterator[Played]:
    """One row."""
    with shop.server("slow") as server, Traffic(server.port, name="slow") as traffic:
        time.sleep(STEADY_SECONDS)
        began = time.monotonic()
        with contextlib.ExitStack() as stack:
            for _ in range(CLIENTS):
                slow = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=5))
                slow.sendall(_HEAD)
            time.sleep(SECONDS)
        traffic.stop()
        yield played(
            f"{CLIENTS} clients that send the head of a request and then nothing, for {SECONDS:.0f} s",
            expected="every other request is answered",
            held=not traffic.failed(began) and bool(traffic.succeeded(began)),
            traffic=traffic,
            since=began,
            happened=f"{len(traffic.succeeded(began))} other requests answered",
        )
