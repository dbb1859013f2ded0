"""The dataset: all item events of the shop as flat arrays, sorted by user and time. Only numpy is needed to
read it.

    item.npy, event_type.npy, time.npy, basket.npy, price.npy
                                    (E,) one entry for each item event
    offsets.npy                     (U + 1,) the events of user u are offsets[u]:offsets[u + 1]
    category.npy                    (N,) category code of each item, -1 without one
    items.parquet, users.parquet    row i is item (user) i: raw ids, catalogue, attributes
    user_number.npy                 (E, F) `UserFeatures.numbers` of each event's user just before the event
    user_category.npy               (E,) favourite category of each event's user just before the event
    user_attribute.npy              (U, A) attributes of each user, as codes
    context.npy, contexts.parquet   (E,) where each event came from, and the meaning of its code; only where
                                    events say so (`ingest/event_contexts.py`)
    item_content.npy                (N, G) content features of each item, as codes
    item_text.npy                   (N, T) texts of each item, as hashed tokens (`item_text.py`)
    item_vector.npy                 (N, V) vectors of items from elsewhere, zeros where there is none
    item_image.npy                  (N, P) thumbnails of items, zeros where there is none
    item_vocabulary.parquet         the meaning of each code (`item_content.py`)

`ingest/build_dataset.py` writes it.
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
    """(E,) microseconds since 1970 UTC (with an ordinal clock: row numbers), ascending within a user"""
    baskets: TimeArray
    """(E,) transaction number, unique across the dataset"""
    prices: NDArray[np.float32]
    """(E,) unit price in the shop's currency, NaN where unknown"""
    offsets: TimeArray
    """(U + 1,)"""
    categories: IntArray
    """(N,) category code, -1 without one"""

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
            event_types=array("event_type"),
            times=array("time"),
            baskets=array("basket"),
            prices=array("price"),
            offsets=array("offsets"),
            categories=array("category"),
        )

    @property
    def num_users(self) -> int:
        """Users in the dataset."""
        return len(self.offsets) - 1

    @property
    def num_items(self) -> int:
        """Items in the dataset."""
        return len(self.categories)

    @property
    def fingerprint(self) -> str:
        """The hash of the dataset's files, as its manifest has it."""
        return str(self.manifest["fingerprint"])

    @property
    def training_data(self) -> str:
        """The fingerprint of what a training learns from: not of stock, prices, titles and items without
        events."""
        return str(self._entry("training_data"))

    @property
    def has_times(self) -> bool:
        """False with an ordinal clock, where features of time mean nothing."""
        return bool(self.manifest["clock"] == "real")

    @property
    def user_numbers(self) -> NDArray[np.float32]:
        """(E, F) `UserFeatures.numbers` of each event's user just before it. Each access maps the file
        again."""
        return self._feature("user_number")

    @property
    def user_categories(self) -> IntArray:
        """(E,) favourite category of each event's user just before it: a code of `categories`, or -1."""
        return self._feature("user_category")

    @property
    def user_attributes(self) -> IntArray:
        """(U, A) codes of the manifest's `user_attributes`, from 1; 0 where unknown."""
        return self._feature("user_attribute")

    @property
    def item_content(self) -> IntArray:
        """(N, G) codes of `ITEM_CONTENT`, from 1; 0 where unknown."""
        return self._feature("item_content")

    @property
    def contexts(self) -> NDArray[np.uint16] | None:
        """(E,) where each event came from: a row of `contexts.parquet`, from 1; 0 for nothing known. None
        where no event says so."""
        return self._feature("context") if (self.folder / "context.npy").is_file() else None

    @property
    def item_text(self) -> IntArray:
        """(N, T) hashed tokens of each item's texts, from 1; 0 for none."""
        return self._feature("item_text")

    @property
    def item_images(self) -> NDArray[np.uint8]:
        """(N, P) the thumbnails that `data.image_folder` gave, or zeros. P is 0 without any."""
        return self._feature("item_image")

    @property
    def given_vectors(self) -> NDArray[np.float32]:
        """(N, V) the vectors that `data.item_vectors` or `data.text_model` gave: of length 1, or zeros. V is
        0 without any."""
        return self._feature("item_vector")

    def content_of(self, items: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
        """Everything that an item tower may read, by the names of its inputs, of the items that a mask (N,)
        marks."""
        arrays: dict[str, NDArray[Any]] = {
            "codes": self.item_content,
            "tokens": self.item_text,
            "given": self.given_vectors,
            "images": self.item_images,
        }
        return {name: np.asarray(array[items]) for name, array in arrays.items()}

    @property
    def num_text_words(self) -> int:
        """How many of the tokens, the first ones, are words in their order."""
        return int(self._entry("num_text_words"))

    @property
    def user_attribute_sizes(self) -> tuple[int, ...]:
        """(A,) number of codes of each attribute, 0 included."""
        return tuple(1 + len(values) for values in self._entry("user_attributes").values())

    @property
    def item_content_sizes(self) -> tuple[int, ...]:
        """(G,) number of codes of each column, 0 included."""
        return tuple(self._entry("item_content_sizes"))

    @property
    def has_catalogue(self) -> bool:
        """Whether the items come from a catalogue of the shop, so that some may have no events."""
        return bool(self._entry("has_catalogue"))

    @property
    def profile_event_types(self) -> NDArray[np.int8]:
        """Codes of the event types that `user_features` counts."""
        return np.array(
            [EVENT_TYPE_CODE[event_type] for event_type in self._entry("profile_event_types")], np.int8
        )

    @property
    def users(self) -> IntArray:
        """(E,) the user index of each event."""
        return np.repeat(np.arange(self.num_users, dtype=np.int32), np.diff(self.offsets))

    def history(self, user: int) -> History:
        """All events of one user, oldest first."""
        start, end = int(self.offsets[user]), int(self.offsets[user + 1])
        return self._events(slice(start, end))

    def events_where(self, mask: NDArray[np.bool_]) -> tuple[IntArray, History]:
        """The events where `mask` (E,) is true, as flat arrays: (the user of each, the events)."""
        return self.users[mask], self._events(mask)

    def _feature(self, name: str) -> NDArray[Any]:
        try:
            found: NDArray[Any] = np.load(self.folder / f"{name}.npy", mmap_mode="r")
            return found
        except FileNotFoundError as error:
            raise other_version(self.folder, kind="dataset", error=error) from None

    @property
    def nothing_to_recommend(self) -> str | None:
        """Why none of the items with events can be recommended; None when one can."""
        reason: str | None = self._entry("nothing_to_recommend")
        return reason

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
