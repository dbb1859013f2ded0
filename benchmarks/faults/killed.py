"""kill -9 of every process of the server, one after the other, while events come in."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Final

from benchmarks.faults.live_server import LiveServer
from benchmarks.faults.played import Played
from benchmarks.faults.shop import STEADY_SECONDS, Shop, audit, played
from benchmarks.faults.traffic import Traffic

WATCHED_SECONDS: Final = 10.0
"""Without a failure, after which it answers again: some processes are missed only after a while."""
SHORT_LIVED: Final = ("sleep", "gone")
"""Processes that end by themselves within a second."""


def play(shop: Shop) -> Iterator[Played]:
    """A row for each process that a fresh server has."""
    with shop.server("killed") as server:
        for number, (role, place) in enumerate(_roles(server)):
            yield from _kill(server, shop, role=role, place=place, number=number)
            _restart_if_needed(server)


def _roles(server: LiveServer) -> list[tuple[str, int]]:
    """Each process as (role, its place among those of the role); the command itself last."""
    found = server.processes()
    roles = [role for role in sorted(found) if role not in (*SHORT_LIVED, "serve")] + ["serve"]
    return [(role, place) for role in roles for place in range(len(found[role]))]


def _kill(server: LiveServer, shop: Shop, *, role: str, place: int, number: int) -> Iterator[Played]:
    """One row; none where the process has ended by itself meanwhile."""
    with Traffic(server.port, name=f"kill{number}") as traffic:
        time.sleep(STEADY_SECONDS)
        pids = server.processes().get(role, [])
        if place >= len(pids):
            return
        killed_at = time.monotonic()
        os.kill(pids[place], signal.SIGKILL)
        recovered = _wait(server, traffic, killed_at, shop.limit, is_command=role == "serve")
    log_says = audit(server, traffic)
    hung = sum(one.kind == "timeout" for one in traffic.failed(killed_at))
    is_ended = not server.is_running
    left = server.left() if is_ended else []
    outcome = "ended" if is_ended else "answered again" if recovered is not None else "did not answer again"
    happened = f"{outcome}; of {len(traffic.acknowledged)} acknowledged events, {log_says}"
    if is_ended:
        happened += f", {len(left)} processes left, port {'free' if server.port_is_free() else 'in use'}"
    healed = recovered is not None and not is_ended
    ended = is_ended and not left and server.port_is_free()
    yield played(
        f"kill -9 of {role if place == 0 else f'{role} ({place + 1})'}",
        expected=(
            "nothing of the server is left, and the port is free"
            if role == "serve"
            else "it answers again, or ends and leaves nothing; no request hangs"
        )
        + "; every acknowledged event is in the log once",
        held=log_says.is_clean and (ended if role == "serve" else (healed or ended) and not hung),
        traffic=traffic,
        since=killed_at,
        happened=happened,
        recovered_after=recovered if healed else None,
    )


def _wait(
    server: LiveServer, traffic: Traffic, killed_at: float, limit: float, *, is_command: bool
) -> float | None:
    """Wait until it answers again, or has ended and left nothing; the seconds to the last failure."""
    until = killed_at + limit
    while time.monotonic() < until:
        if not server.is_running and not server.left():
            return None
        if not is_command and server.is_running:
            so_far = time.monotonic() - killed_at
            recovered = traffic.wait_until_answered(killed_at, seconds=so_far + 5, calm=WATCHED_SECONDS)
            if recovered is not None:
                return recovered
        time.sleep(0.2)
    return None


def _restart_if_needed(server: LiveServer) -> None:
    if not server.is_running or server.get("/readyz").get("status") != "ready":
        server.stop()
        server.start()
