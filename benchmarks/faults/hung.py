"""A replica stops answering without dying (SIGSTOP)."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator

from benchmarks.faults.played import Played
from benchmarks.faults.shop import STEADY_SECONDS, Shop, audit, played
from benchmarks.faults.traffic import Traffic


def play(shop: Shop) -> Iterator[Played]:
    """A row for a server of one replica, and one for two."""
    for replicas in (1, 2):
        with shop.server(f"hung-{replicas}", replicas=replicas) as server:
            with Traffic(server.port, name=f"hung{replicas}") as traffic:
                time.sleep(STEADY_SECONDS)
                hung = server.processes()["replica"][0]
                began = time.monotonic()
                os.kill(hung, signal.SIGSTOP)
                recovered = traffic.wait_until_answered(began + 1, seconds=shop.limit)
            with contextlib.suppress(OSError):  # it was replaced
                os.kill(hung, signal.SIGCONT)
            log_says = audit(server, traffic)
            yield played(
                f"a hung replica of {replicas}",
                expected="it is replaced, and the server answers again; every acknowledged event is in the "
                "log once",
                held=recovered is not None and log_says.is_clean,
                traffic=traffic,
                since=began,
                happened=str(log_says),
                recovered_after=recovered,
            )
