"""Scores the lists of every runner in the same way, and reads the notes of its clock."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.speed.interactions import LeaveOneOut

K = 10
LATENESS = 1.02
"""Factor by which lists may be late: those that are due in the middle of a step are made after it."""


def ndcg(lists_UK: NDArray[np.int64], interactions: LeaveOneOut) -> float:
    """Mean over all users of 1 / log2(1 + rank of the target), 0 where it is not among the first ten.

    `lists_UK`: (U, K) item ids, -1 where a list is short. Raises ValueError for lists that break the
    protocol: of other users, with an item of the user's training data, or with an item twice.
    """
    if lists_UK.shape != (len(interactions.users), K):
        raise ValueError(
            f"lists of shape {lists_UK.shape}, expected {len(interactions.users)} users with {K} places each"
        )
    for user, (row, seen) in enumerate(zip(lists_UK, interactions.train, strict=True)):
        listed = row[row >= 0]
        if len(np.unique(listed)) < len(listed) or np.isin(listed, seen).any():
            raise ValueError(
                f"the list in row {user} has an item twice, or one of the user's own: {row.tolist()}"
            )
    is_hit_UK = lists_UK == interactions.targets[:, None]
    return float((is_hit_UK / np.log2(np.arange(K) + 2)).sum(axis=1).mean())


@dataclass(frozen=True)
class Measured:
    """The measurement of one runner."""

    name: str
    versions: dict[str, str | None]
    epoch_seconds: list[float]
    curve: list[tuple[float, float]]
    """(minutes of training, NDCG@10) in the order of time"""
    peak_gb: float
    num_interactions: int
    """per epoch"""

    @property
    def seconds(self) -> float:
        """Seconds per epoch: the median, without the first where there are more."""
        return median(self.epoch_seconds[1:] or self.epoch_seconds)

    @property
    def per_second(self) -> float:
        """Interactions per second, without padding."""
        return self.num_interactions / self.seconds

    def ndcg_after(self, minutes: float) -> float:
        """NDCG@10 of the last lists made by then; 0 before the first."""
        return next((found for at, found in reversed(self.curve) if at <= minutes * LATENESS), 0.0)

    def as_dict(self, minutes: float) -> dict[str, Any]:
        """The entry in the kept result."""
        return {
            "name": self.name,
            "interactions_per_second": round(self.per_second, 1),
            "seconds_an_epoch": round(self.seconds, 3),
            "epochs": len(self.epoch_seconds),
            "epoch_seconds": self.epoch_seconds,
            "peak_gb": round(self.peak_gb, 2),
            "ndcg_10": round(self.ndcg_after(minutes), 5),
            "curve": [[round(at, 3), round(found, 5)] for at, found in self.curve],
            "versions": self.versions,
        }


def read_measurement(
    name: str, folder: Path, interactions: LeaveOneOut, *, max_length: int, peak_gb: float
) -> Measured:
    """Read a runner's notes and score its lists."""
    notes = [json.loads(line) for line in (folder / "notes.jsonl").read_text(encoding="utf-8").splitlines()]
    return Measured(
        name=name,
        versions=next(note["versions"] for note in notes if "versions" in note),
        epoch_seconds=[note["seconds"] for note in notes if "epoch" in note],
        curve=[
            (note["seconds"] / 60, ndcg(np.load(folder / note["lists"]), interactions))
            for note in notes
            if "lists" in note
        ],
        peak_gb=peak_gb,
        num_interactions=interactions.num_interactions(max_length=max_length),
    )
