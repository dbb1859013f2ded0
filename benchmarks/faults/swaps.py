"""Ten champions, one after the other, while clients ask: no request may fail."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import polars as pl

from benchmarks.faults.live_server import LiveServer
from benchmarks.faults.played import Played
from benchmarks.faults.shop import STEADY_SECONDS, Shop, audit, played
from benchmarks.faults.traffic import Traffic
from serving.recommend.bundle import Bundle
from serving.recommend.served_bundle import next_pointer, read_pointer, write_pointer

SWAPS: Final = 10
ANSWERS: Final = 12
"""That say the new version, one after the other, until a swap counts as done: of every replica."""
SETTLED: Final = 4
"""After so many swaps the allocator has met the peak of two bundles at once."""
GROWTH_MB: Final = 60.0
"""Of one replica from then on, new users' histories included. Bundles that are not freed would take six times
a bundle."""


def play(shop: Shop) -> Iterator[Played]:
    """A row for a server of one replica, and one for two."""
    for replicas in (1, 2):
        workspace = shop.folder / f"swaps-{replicas}"
        versions = _two_bundles(workspace, shop.bundle)
        _promote(workspace, "even", versions)
        with LiveServer(workspace, None, replicas=replicas) as server:
            with Traffic(server.port, name=f"swaps{replicas}", items=server.items()) as traffic:
                time.sleep(STEADY_SECONDS)
                began = time.monotonic()
                seconds, memory = _swap(server, workspace, versions, limit=shop.limit)
                time.sleep(STEADY_SECONDS)
            log_says = audit(server, traffic)
            growth = memory[-1] - memory[min(SETTLED, len(memory) - 1)]
            yield played(
                f"{SWAPS} new champions, {replicas} {'replica' if replicas == 1 else 'replicas'}",
                expected="each answers within seconds; no request fails; every acknowledged event is in the "
                f"log once; a replica's memory comes to rest (less than {GROWTH_MB:.0f} MB in the last "
                f"{SWAPS - SETTLED} swaps)",
                held=len(seconds) == SWAPS
                and not traffic.failed(began)
                and log_says.is_clean
                and growth < GROWTH_MB,
                traffic=traffic,
                since=began,
                happened=f"{len(seconds)} swaps, each answering everywhere after "
                f"{min(seconds, default=0):.1f} to {max(seconds, default=0):.1f} s; a replica held "
                f"{memory[0]:.0f} MB at the start and {memory[-1]:.0f} at the end ({growth:+.0f} MB in the "
                f"last {SWAPS - SETTLED} swaps); {log_says}",
            )


def _two_bundles(workspace: Path, bundle: Path) -> dict[str, str]:
    """Name → version of two bundles that differ in a column of the catalogue."""
    opened = Bundle.open(bundle)
    return {
        name: replace(opened, catalogue=opened.catalogue.with_columns(edition=pl.lit(name))).save(
            workspace / "bundles" / name, made_from="swaps"
        )
        for name in ("even", "odd")
    }


def _promote(workspace: Path, name: str, versions: dict[str, str]) -> None:
    folder = workspace / "bundles" / name
    before = read_pointer(workspace)
    write_pointer(workspace, next_pointer(before, run=name, version=versions[name], bundle=folder))


def _swap(
    server: LiveServer, workspace: Path, versions: dict[str, str], *, limit: float
) -> tuple[list[float], list[float]]:
    """(seconds of each swap until every replica had it, MB of one replica at the start and after each)."""
    seconds: list[float] = []
    memory = [_replica_mb(server)]
    for number in range(1, SWAPS + 1):
        name = ("even", "odd")[number % 2]
        began = time.monotonic()
        _promote(workspace, name, versions)
        if not _answers(server, versions[name], until=began + limit):
            break
        seconds.append(time.monotonic() - began)
        memory.append(_replica_mb(server))
    return seconds, memory


def _replica_mb(server: LiveServer) -> float:
    found = server.processes()["replica"]
    return server.rss(found) / len(found)


def _answers(server: LiveServer, version: str, *, until: float) -> bool:
    """Wait until every replica answers with this version."""
    in_a_row = 0
    while time.monotonic() < until:
        in_a_row = in_a_row + 1 if server.get("/readyz").get("version") == version else 0
        if in_a_row == ANSWERS:
            return True
        time.sleep(0.05)
    return False
