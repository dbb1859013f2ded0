"""A dataset of a few events written down by hand."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from features.core.columns import EVENT_TYPE_CODE, MICROSECONDS_PER_DAY
from features.dataset import Dataset

FOLDER = tempfile.TemporaryDirectory()
"""For what a dataset has on disk alone; gone when the tests end."""


def dataset_of(users: Sequence[Sequence[tuple[float, str, int]]]) -> Dataset:
    """For each user (day, event type, item) by time. Events of one user and time are a basket; six items."""
    flat = [(user, *event) for user, events in enumerate(users) for event in events]
    times = np.rint(np.array([day for _, day, _, _ in flat]) * MICROSECONDS_PER_DAY).astype(np.int64)
    owners = [user for user, *_ in flat]
    baskets = np.unique(np.array([(user, day) for user, day, _, _ in flat]), axis=0, return_inverse=True)[1]
    np.save(Path(FOLDER.name) / "item_content.npy", np.zeros((6, 5), np.int32))
    np.save(Path(FOLDER.name) / "item_text.npy", np.zeros((6, 4), np.int32))
    np.save(Path(FOLDER.name) / "item_vector.npy", np.zeros((6, 0), np.float32))
    np.save(Path(FOLDER.name) / "item_image.npy", np.zeros((6, 0), np.uint8))
    return Dataset(
        folder=Path(FOLDER.name),
        manifest={
            "first_time": int(times.min()),
            "last_time": int(times.max()),
            "clock": "real",
        },
        items=np.array([item for *_, item in flat], np.int32),
        event_types=np.array([EVENT_TYPE_CODE[kind] for _, _, kind, _ in flat], np.int8),
        times=times,
        baskets=baskets.astype(np.int64),
        prices=np.ones(len(flat), np.float32),
        offsets=np.searchsorted(owners, np.arange(len(users) + 1)).astype(np.int64),
        categories=np.array([0, 0, 1, 1, 2, 2], np.int32),
    )
