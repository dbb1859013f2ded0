"""Load for half an hour, with new users all the time: what grows?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from benchmarks.faults.live_server import LiveServer
from benchmarks.faults.played import Played
from benchmarks.faults.shop import Shop, audit, played
from benchmarks.faults.traffic import EVENTS, Traffic
from configs.console import log

MEGABYTES_PER_MINUTE: Final = 5.0
"""Of the replica, in the second half: histories and pages of SQLite are still filling up to their bounds."""


def play(shop: Shop, *, minutes: float) -> Iterator[Played]:
    """One row, and a line a minute while it runs."""
    with (
        shop.server("soak") as server,
        Traffic(server.port, name="soak", events=4, lists=4, items=server.items()) as traffic,
    ):
        began, held = time.monotonic(), []
        while time.monotonic() < began + 60 * minutes:
            held.append(server.rss(server.processes().get("replica", [])))
            events = len(traffic.succeeded(path=EVENTS))
            log(f"soak: minute {len(held) - 1}, {held[-1]:.0f} MB, {events} events stored; {_kept(server)}")
            time.sleep(max(min(60.0, began + 60 * minutes - time.monotonic()), 0))
        held.append(server.rss(server.processes().get("replica", [])))
        kept = _kept(server)
        traffic.stop()
        log_says = audit(server, traffic)
        middle = len(held) // 2
        growth = (held[-1] - held[middle]) / max((len(held) - 1 - middle), 1)
        yield played(
            f"a soak of {minutes:g} minutes",
            expected="no failure, every event in the log once, and the replica's memory comes to rest (less "
            f"than {MEGABYTES_PER_MINUTE:g} MB a minute in the second half)",
            held=log_says.is_clean and not traffic.failed() and growth < MEGABYTES_PER_MINUTE,
            traffic=traffic,
            since=began,
            happened=f"{len(traffic.succeeded())} requests; the replica held {held[0]:.0f} MB at the start, "
            f"{held[middle]:.0f} in the middle and {held[-1]:.0f} at the end ({growth:+.1f} MB a minute in "
            f"the second half); it keeps {kept}; {log_says}",
        )


def _kept(server: LiveServer) -> str:
    """What the replica has in memory between requests, which has bounds."""
    states, size, histories, events = (
        server.metric(f"shopkeeper_{name}")
        for name in ("user_states", "user_state_bytes", "histories", "history_events")
    )
    return (
        f"the states of {states:,.0f} users in {size / 1e6:.0f} MB and the histories of {histories:,.0f} "
        f"with {events:,.0f} events"
    )
