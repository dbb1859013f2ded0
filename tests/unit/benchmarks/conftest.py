"""A small file as papers publish it: a line per user, items oldest first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

NUM_ITEMS = 30


def lines(*, num_users: int = 60) -> dict[str, list[str]]:
    """User → items. Item 99 is one user's last item and nobody else's, so training has none of it; two users
    have too few items to be tested."""
    generator = np.random.default_rng(3)
    found = {}
    for user in range(1, num_users + 1):
        start, length = int(generator.integers(NUM_ITEMS)), int(generator.integers(3, 12))
        found[str(user)] = [
            str(1 + (start + int(step)) % NUM_ITEMS) for step in np.arange(length) * generator.integers(1, 3)
        ]
    found["7"][-1] = "99"
    found["9"].append(found["9"][0])  # in the history: a miss where seen items are removed
    return {**found, "1001": ["1", "2"], "1002": ["3"]}


@pytest.fixture(scope="session")
def session_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("published") / "Tiny.txt"
    path.write_text(
        "".join(f"{user} {' '.join(items)}\n" for user, items in lines().items()), encoding="utf-8"
    )
    return path
