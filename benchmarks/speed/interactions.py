"""What all train on and are judged by: Amazon Beauty's file, or where it is absent a made one of the same
shape."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FILE = "Beauty.txt"
"""Amazon 2014 Beauty, 5-core, as published with S3-Rec: `user item item ...` a line, items in time order."""

NUM_USERS, NUM_ITEMS, NUM_EVENTS, SHORTEST = 22_363, 12_101, 198_502, 5
"""Of the published file, and so of the made one."""

CLUSTER = 60
"""Items of the made file that belong together."""


@dataclass(frozen=True)
class LeaveOneOut:
    """Each user's items, oldest first. The last but one is foreseen, what is before it trains; the last is
    left alone."""

    users: list[int]
    sequences: list[NDArray[np.int64]]

    @property
    def train(self) -> list[NDArray[np.int64]]:
        return [items[:-2] for items in self.sequences]

    @property
    def targets(self) -> NDArray[np.int64]:
        return np.array([items[-2] for items in self.sequences])

    def num_interactions(self, *, max_length: int) -> int:
        """Events of one epoch: the latest `max_length` of each user's and the one that they lead to; no
        padding."""
        return sum(min(len(items), max_length + 1) for items in self.train)

    def first(self, num_users: int | None) -> LeaveOneOut:
        """For a try: the first users of the file alone."""
        return LeaveOneOut(self.users[:num_users], self.sequences[:num_users])

    def write(self, path: Path, *, train_only: bool) -> None:
        """As `user item item ...` lines."""
        rows = self.train if train_only else self.sequences
        lines = [
            f"{user} {' '.join(map(str, items))}\n" for user, items in zip(self.users, rows, strict=True)
        ]
        path.write_text("".join(lines), encoding="utf-8")


def find_interactions(files: Path | None) -> tuple[LeaveOneOut, dict[str, str | int]]:
    """(interactions, where they are from): the file, looked for at any depth of `files`, or a made one where
    it is not there."""
    found = sorted(files.rglob(FILE)) if files else []
    if not found:
        made = made_interactions()
        digest = hashlib.sha256(
            b" ".join(b",".join(b"%d" % item for item in items) for items in made.sequences)
        )
        return made, {
            "name": "made by this benchmark in the shape of Beauty.txt",
            "sha256": digest.hexdigest(),
            **_counts(made),
        }
    text = found[0].read_bytes()
    rows = [np.array(line.split(), np.int64) for line in text.decode("utf-8").splitlines()]
    kept = [
        row for row in rows if len(row) > 3
    ]  # the user, one event to learn from, and the two that are held back
    read = LeaveOneOut([int(row[0]) for row in kept], [row[1:] for row in kept])
    return read, {"name": FILE, "sha256": hashlib.sha256(text).hexdigest(), **_counts(read)}


def made_interactions(
    *, num_users: int = NUM_USERS, num_items: int = NUM_ITEMS, num_events: int = NUM_EVENTS, seed: int = 0
) -> LeaveOneOut:
    """As many users, items and events as asked for, with something to learn.

    Popularity falls as in shops; an item is often followed by one of its few successors, or by another of its
    cluster.
    """
    generator = np.random.default_rng(seed)
    extra = generator.multinomial(
        num_events - SHORTEST * num_users, generator.dirichlet(np.full(num_users, 0.3))
    )
    weights = 1 / np.arange(1, num_items + 1) ** 0.6
    item_at = generator.permutation(num_items)  # of each rank; neighbours in rank are no neighbours in taste
    by_popularity = item_at[generator.choice(num_items, 4 * num_events, p=weights / weights.sum())]
    successors = generator.integers(0, CLUSTER, (num_items, 3))
    sequences, next_drawn = [], 0
    for length in np.minimum(SHORTEST + extra, num_items // 4):
        items: dict[int, None] = {}  # a set that keeps its order: nobody has an item twice
        item = -1
        while len(items) < length:
            way = generator.random() if items else 1.0
            first = item - item % CLUSTER
            if way < 0.5:
                item = first + int(successors[item, generator.integers(3)])
            elif way < 0.7:
                item = first + int(generator.integers(CLUSTER))
            else:
                item, next_drawn = int(by_popularity[next_drawn % len(by_popularity)]), next_drawn + 1
            item = min(item, num_items - 1)
            items.setdefault(item)
        sequences.append(np.array(list(items), np.int64) + 1)
    return LeaveOneOut(list(range(1, num_users + 1)), sequences)


def _counts(interactions: LeaveOneOut) -> dict[str, int]:
    events = np.concatenate(interactions.sequences)
    return {"users": len(interactions.users), "items": len(np.unique(events)), "events": len(events)}
