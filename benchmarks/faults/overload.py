"""Ten times as many clients as the server can answer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

import numpy as np

from benchmarks.faults.played import Played
from benchmarks.faults.shop import Shop, played
from benchmarks.faults.traffic import Traffic

CLIENTS: Final = 16
TIMES: Final = 10
SECONDS: Final = 10.0
GOODPUT: Final = 0.8
"""Share of the best goodput that must be left."""


def play(shop: Shop) -> Iterator[Played]:
    """One row. Clients of lists without a pause between their requests."""
    with shop.server("overload") as server:
        best = _goodput(Traffic(server.port, name="few", events=0, lists=CLIENTS, pause=0))[0]
        many = Traffic(server.port, name="many", events=0, lists=TIMES * CLIENTS, pause=0)
        goodput, since = _goodput(many)
        seconds = [one.seconds for one in many.succeeded(since)]
        p99 = float(np.percentile(seconds, 99)) if seconds else float("nan")
        kinds = {one.kind for one in many.failed(since)}
        yield played(
            f"{TIMES} times the load: {TIMES * CLIENTS} clients without a pause",
            expected=f"at least {GOODPUT:.0%} of the best goodput, the others are refused with 503, "
            "99 % of the accepted wait less than a second",
            held=goodput >= GOODPUT * best and kinds <= {"503"} and p99 < 1,
            traffic=many,
            since=since,
            happened=f"{goodput:.0f} lists a second of {best:.0f} with {CLIENTS} clients "
            f"({goodput / best:.0%}), p99 of the accepted {p99:.2f} s",
        )


def _goodput(traffic: Traffic) -> tuple[float, float]:
    """(answered requests a second, when the measurement began), after a second to warm up."""
    with traffic:
        time.sleep(1)
        since = time.monotonic()
        time.sleep(SECONDS)
        answered = len(traffic.succeeded(since))
    return answered / SECONDS, since
