"""Another program holds the lock of events.db for half a minute, and many clients send events."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from typing import Final

from benchmarks.faults.played import Played
from benchmarks.faults.shop import STEADY_SECONDS, Shop, audit, played
from benchmarks.faults.traffic import EVENTS, LISTS, Traffic
from serving.state.store import STORE_FILE

LOCKED_SECONDS: Final = 30.0
CLIENTS: Final = 80
REFUSED_WITHIN: Final = 4.0
"""Seconds: the time a write waits for the lock, and some for a busy machine."""


def play(shop: Shop) -> Iterator[Played]:
    """One row."""
    with shop.server("locked") as server, Traffic(server.port, name="locked", events=CLIENTS) as traffic:
        time.sleep(STEADY_SECONDS)
        other = sqlite3.connect(server.workspace / STORE_FILE, isolation_level=None, timeout=30)
        other.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        time.sleep(LOCKED_SECONDS)
        lists, refused = traffic.failed(began, path=LISTS), traffic.failed(began, path=EVENTS)
        worst = traffic.worst(began, path=LISTS)
        other.execute("ROLLBACK")
        other.close()
        freed = time.monotonic()
        recovered = traffic.wait_until_answered(freed, seconds=shop.limit)
        traffic.stop()
        log_says = audit(server, traffic)
        longest = max((one.seconds for one in refused), default=0.0)
        yield played(
            f"events.db locked for {LOCKED_SECONDS:.0f} s, {CLIENTS} clients sending events",
            expected="every list is answered; an event is refused with 503 within "
            f"{REFUSED_WITHIN:.0f} s and not stored; events are accepted again afterwards",
            held=log_says.is_clean
            and not lists
            and bool(refused)
            and {one.kind for one in refused} == {"503"}
            and longest <= REFUSED_WITHIN
            and recovered is not None,
            traffic=traffic,
            since=began,
            happened=f"the slowest list took {worst or 0:.2f} s, the slowest refusal {longest:.1f} s; "
            f"{log_says}",
            recovered_after=recovered,
        )
