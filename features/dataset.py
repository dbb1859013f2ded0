"""The dataset: every event of the shop in flat arrays, in the order of users and of time. Read with numpy
alone.

    item.npy, event_type.npy, time.npy, basket.npy, price.npy     (E,)  one entry an item event
    offsets.npy                                             (U + 1,)  user u owns events offsets[u]:offsets[u + 1]
    category.npy                                            (N,)  leaf category of each item as a code, -1 without one
    items.parquet, users.parquet                            row i is item (user) i: raw ids, catalogue, attributes
    user_number.npy, user_category.npy                      (E, F), (E,)  each event's user as of its time (`UserFeatures`)
    user_attribute.npy                                      (U, A)  what the shop knows of each user, as codes
    item_content.npy                                           (N, G)  what the catalogue says of each item, as codes
    item_vocabulary.parquet                                 which code stands for what (`item_content.py`)

`build_dataset.py` writes it from the tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.core.artefact import other_version, read_manifest
from features.core.columns import EVENT_TYPE_CODE
from features.histories import History, IntArray, TimeArray


@dataclass(frozen=True)
class Dataset:
    """A memory-mapped dataset folder. Legend: E events, U users, N items."""

    folder: Path
    manifest: dict[str, Any]
    items: IntArray
    """(E,) item index"""
    event_types: NDArray[np.int8]
    """(E,) event type code, see `columns.EVENT_TYPE_CODE`"""
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
            event_types=array("kind"),
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
    def user_numbers(self) -> NDArray[np.float32]:
        """(E, F) numbers of each event's user as of its time: `UserFeatures.numbers`. Mapped anew at each
        call, as all below."""
        return self._feature("user_number")

    @property
    def user_categories(self) -> IntArray:
        """(E,) favourite category of each event's user as of its time, a code of `categories`; -1 without
        one"""
        return self._feature("user_category")

    @property
    def user_attributes(self) -> IntArray:
        """(U, A) codes of the manifest's `user_attributes`, from 1; 0 where unknown"""
        return self._feature("user_attribute")

    @property
    def item_content(self) -> IntArray:
        """(N, G) codes of `ITEM_CONTENT`, from 1; 0 where unknown"""
        return self._feature("item_content")

    @property
    def user_attribute_sizes(self) -> tuple[int, ...]:
        """(A,) how many codes each attribute has, 0 among them."""
        return tuple(1 + len(values) for values in self._entry("user_attributes").values())

    @property
    def item_content_sizes(self) -> tuple[int, ...]:
        """(G,) how many codes each column has, 0 among them."""
        return tuple(self._entry("item_content_sizes"))

    @property
    def has_catalogue(self) -> bool:
        """Whether items stand in it that nobody need have touched, from a list of the shop's own."""
        return bool(self._entry("has_catalogue"))

    @property
    def profile_event_types(self) -> NDArray[np.int8]:
        """Codes of the event types that `user_features` counts."""
        return np.array([EVENT_TYPE_CODE[kind] for kind in self._entry("profile_event_types")], np.int8)

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

    def _feature(self, name: str) -> NDArray[Any]:
        try:
            found: NDArray[Any] = np.load(self.folder / f"{name}.npy", mmap_mode="r")
            return found
        except FileNotFoundError as error:
            raise other_version(self.folder, kind="dataset", error=error) from None

    def _entry(self, name: str) -> Any:
        try:
            return self.manifest[name]
        except KeyError as error:
            raise other_version(self.folder, kind="dataset", error=error) from None

    def _events(self, which: slice | NDArray[np.bool_]) -> History:
        return History(
            items=np.asarray(self.items[which]),
            event_types=np.asarray(self.event_types[which]),
            times=np.asarray(self.times[which]),
            baskets=np.asarray(self.baskets[which]),
            prices=np.asarray(self.prices[which]),
        )
