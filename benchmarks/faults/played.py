"""A fault that was played: what was done, what should happen, and what did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Played:
    """A row of the table."""

    fault: str
    expected: str
    happened: str
    held: bool
    worst_seconds: float | None = None
    """The slowest successful answer; None where there was none"""
    recovered_after: float | None = None
    """Seconds until every request was answered again; None where that did not happen, or nothing failed"""
    failures: Mapping[str, int] = field(default_factory=dict)
    """Kind of failure that clients saw → how often"""
    answered: int = 0
    """Requests that were answered with 200"""
