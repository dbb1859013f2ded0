"""What every fault is played on: a bundle, and a folder for each server's workspace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.faults.live_server import LiveServer
from benchmarks.faults.played import Played
from benchmarks.faults.traffic import Traffic, counts, in_words

STEADY_SECONDS: Final = 3.0
"""Of traffic before a fault."""


@dataclass(frozen=True)
class Shop:
    """The bundle that is served, and how long a fault may take."""

    folder: Path
    bundle: Path
    limit: float
    """Seconds in which the server must answer again"""

    @contextmanager
    def server(self, name: str, *, replicas: int = 1) -> Iterator[LiveServer]:
        """A running server with an empty event log."""
        with LiveServer(self.folder / name, self.bundle, replicas=replicas) as server:
            yield server


@dataclass(frozen=True)
class Audit:
    """What the event log says of the events that were sent."""

    lost: int
    """Acknowledged, and not there"""
    twice: int
    stored_although_refused: int
    """Answered with 503, and there"""

    @property
    def is_clean(self) -> bool:
        """Whether each acknowledged event is there once, and no refused one."""
        return not (self.lost or self.twice or self.stored_although_refused)

    def __str__(self) -> str:
        return (
            f"{self.lost} events lost, {self.twice} twice, {self.stored_although_refused} stored although "
            "refused"
        )


def audit(server: LiveServer, traffic: Traffic) -> Audit:
    """Compare the log with what clients were told."""
    stored = server.stored()
    return Audit(
        lost=sum(one not in stored for one in traffic.acknowledged),
        twice=sum(number > 1 for number in stored.values()),
        stored_although_refused=sum(one in stored for one in traffic.refused),
    )


def played(
    fault: str,
    *,
    expected: str,
    held: bool,
    traffic: Traffic,
    since: float,
    happened: str,
    recovered_after: float | None = None,
) -> Played:
    """A row with what the clients saw after `since`."""
    failures = counts(traffic.failed(since))
    return Played(
        fault=fault,
        expected=expected,
        happened=f"{happened}; failures: {in_words(failures)}",
        held=held,
        worst_seconds=traffic.worst(since),
        recovered_after=recovered_after if failures else None,
        failures=dict(failures),
        answered=len(traffic.succeeded(since)),
    )
