"""The interactions that every library trains on: Amazon Beauty's file, or a synthetic one of the same
shape."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

FILE = "Beauty.txt"
"""Amazon 2014 Beauty, 5-core, as published with S3-Rec: a line `user item item ...` per user, oldest
first."""

NUM_USERS, NUM_ITEMS, NUM_EVENTS, SHORTEST = 22_363, 12_101, 198_502, 5
"""Of the published file, and so of the synthetic one."""

CLUSTER = 60
"""Items of the synthetic file that belong together."""


class _Counts(TypedDict):
    users: int
    items: int
    events: int


class Origin(_Counts):
    """Where interactions come from."""

    name: str
    sha256: str


@dataclass(frozen=True)
class LeaveOneOut:
    """Each user's items, oldest first. The last but one is the target, the ones before it are for training;
    the last is not used."""

    users: list[int]
    sequences: list[NDArray[np.int64]]

    @property
    def train(self) -> list[NDArray[np.int64]]:
        """Each user's training items, oldest first."""
        return [items[:-2] for items in self.sequences]

    @property
    def targets(self) -> NDArray[np.int64]:
        """(U,) the item that each user's list should contain."""
        return np.array([items[-2] for items in self.sequences])

    def num_interactions(self, *, max_length: int) -> int:
        """Events per epoch, without padding: each user's latest `max_length`, and the target after them."""
        return sum(min(len(items), max_length + 1) for items in self.train)

    def first(self, num_users: int | None) -> LeaveOneOut:
        """The first users of the file, for a quick try; all with None."""
        return LeaveOneOut(self.users[:num_users], self.sequences[:num_users])

    def write(self, path: Path, *, train_only: bool) -> None:
        """Lines of `user item item ...`."""
        rows = self.train if train_only else self.sequences
        lines = [
            f"{user} {' '.join(map(str, items))}\n" for user, items in zip(self.users, rows, strict=True)
        ]
        path.write_text("".join(lines), encoding="utf-8")


def find_interactions(files: Path | None) -> tuple[LeaveOneOut, Origin]:
    """(interactions, origin): the file at any depth of `files`, or synthetic interactions where there is
    none.

    The origin has `name`, `sha256`, `users`, `items` and `events`.
    """
    found = sorted(files.rglob(FILE)) if files else []
    if not found:
        made = synthetic_interactions()
        digest = hashlib.sha256(
            b" ".join(b",".join(b"%d" % item for item in items) for items in made.sequences)
        )
        return made, {
            "name": "synthetic, in the shape of Beauty.txt",
            "sha256": digest.hexdigest(),
            **_counts(made),
        }
    text = found[0].read_bytes()
    rows = [np.array(line.split(), np.int64) for line in text.decode("utf-8").splitlines()]
    kept = [
        row for row in rows if len(row) > 3
    ]  # the user, one event for training, and the two held-out ones
    read = LeaveOneOut([int(row[0]) for row in kept], [row[1:] for row in kept])
    return read, {"name": FILE, "sha256": hashlib.sha256(text).hexdigest(), **_counts(read)}


def synthetic_interactions(
    *, num_users: int = NUM_USERS, num_items: int = NUM_ITEMS, num_events: int = NUM_EVENTS, seed: int = 0
) -> LeaveOneOut:
    """Synthetic interactions with something to learn, of the given numbers of users, items and events.

    Popularity has a long tail; an item is often followed by one of its three successors, or by another item
    of its cluster.
    """
    generator = np.random.default_rng(seed)
    extra = generator.multinomial(
        num_events - SHORTEST * num_users, generator.dirichlet(np.full(num_users, 0.3))
    )
    weights = 1 / np.arange(1, num_items + 1) ** 0.6
    item_at = generator.permutation(num_items)  # rank → item, so that popularity and clusters are independent
    by_popularity = item_at[generator.choice(num_items, 4 * num_events, p=weights / weights.sum())]
    successors = generator.integers(0, CLUSTER, (num_items, 3))
    sequences, next_drawn = [], 0
    for length in np.minimum(SHORTEST + extra, num_items // 4):
        items: dict[int, None] = {}  # an ordered set: nobody has an item twice
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


def _counts(interactions: LeaveOneOut) -> _Counts:
    events = np.concatenate(interactions.sequences)
    return {"users": len(interactions.users), "items": len(np.unique(events)), "events": len(events)}
