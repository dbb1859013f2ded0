"""The dataset: every event of the shop in flat arrays, in the order of users and of time. Read with numpy alone.

    item.npy, kind.npy, time.npy, basket.npy, price.npy     (E,)  one entry an item event
    offsets.npy                                             (U + 1,)  user u owns events offsets[u]:offsets[u + 1]
    category.npy                                            (N,)  leaf category of each item as a code, -1 without one
    items.parquet, users.parquet                            row i is item (user) i: raw ids, catalogue, attributes

`build_dataset.py` writes it from the tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.artefact import read_manifest
from features.histories import History, IntArray, TimeArray


@dataclass(frozen=True)
class Dataset:
    """A memory-mapped dataset folder. Legend: E events, U users, N items."""

    folder: Path
    manifest: dict[str, Any]
    items: IntArray
    """(E,) item index"""
    kinds: NDArray[np.int8]
    """(E,) event type code, see `columns.KIND`"""
    times: TimeArray
    """(E,) microseconds since 1970 UTC (an ordinal clock counts from 0), ascending within a user"""
    baskets: TimeArray
    """(E,) transaction number, unique across the dataset"""
    prices: NDArray[np.float32]
    """(E,) unit price in the shop's currency, NaN where unknown"""
    offsets: TimeArray
    """(U + 1,)"""
    categories: IntArray
    """(N,) leaf category code, -1 without one"""

    @classmethod
    def open(cls, folder: Path) -> Dataset:
        """Map a dataset folder; raises ArtefactError when it is missing, incomplete or of another version."""
        manifest = read_manifest(folder, kind="dataset")

        def array(name: str) -> Any:
            return np.load(folder / f"{name}.npy", mmap_mode="r")

        return cls(
            folder=folder,
            manifest=manifest,
            items=array("item"),
            kinds=array("kind"),
            times=array("time"),
            baskets=array("basket"),
            prices=array("price"),
            offsets=array("offsets"),
            categories=array("category"),
        )

    @property
    def num_users(self) -> int:
        return len(self.offsets) - 1

    @property
    def num_items(self) -> int:
        return len(self.categories)

    @property
    def fingerprint(self) -> str:
        return str(self.manifest["fingerprint"])

    @property
    def has_times(self) -> bool:
        """False when the clock is ordinal: then no feature of time may be made."""
        return bool(self.manifest["clock"] == "real")

    @property
    def users(self) -> IntArray:
        """(E,) the user index of each event."""
        return np.repeat(np.arange(self.num_users, dtype=np.int32), np.diff(self.offsets))

    def history(self, user: int) -> History:
        """All events of one user, oldest first."""
        start, end = int(self.offsets[user]), int(self.offsets[user + 1])
        return self._events(slice(start, end))

    def events_where(self, mask: NDArray[np.bool_]) -> tuple[IntArray, History]:
        """The events picked by `mask` (E,) as flat arrays: (user of each, events)."""
        return self.users[mask], self._events(mask)

    def _events(self, which: slice | NDArray[np.bool_]) -> History:
        return History(
            items=np.asarray(self.items[which]),
            kinds=np.asarray(self.kinds[which]),
            times=np.asarray(self.times[which]),
            baskets=np.asarray(self.baskets[which]),
            prices=np.asarray(self.prices[which]),
        )
