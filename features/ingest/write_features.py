"""Writes the user and item features into a dataset folder, from the arrays and tables in it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from features.histories import TimeArray
from features.profiles.item_content import code_items, item_vocabulary, price_edges
from features.profiles.item_text import NUM_WORDS, text_tokens
from features.profiles.point_in_time import FAVOURITE, user_features_before_events
from features.profiles.user_attributes import code_attributes
from features.profiles.user_features import USER_NUMBERS, profile_event_types

EVENTS_AT_ONCE: Final = 250_000
"""About the number of events in memory at a time. Users are not divided; one with more is processed alone."""


def write_features(
    folder: Path, *, catalogue: pl.DataFrame, event_types: tuple[str, ...], has_times: bool
) -> dict[str, Any]:
    """Write the feature files (`dataset.py` lists them); returns entries for the manifest.

    `catalogue` has the columns of each item that do not depend on its events; `event_types` are those in the
    dataset.
    """
    counted = profile_event_types(event_types)
    _write_user_features(folder, counted=counted, has_times=has_times)
    attributes = code_attributes(
        pl.read_parquet(folder / "users.parquet", columns=["attributes"]).to_series()
    )
    np.save(folder / "user_attribute.npy", attributes.codes)
    vocabulary = item_vocabulary(catalogue)
    vocabulary.write_parquet(folder / "item_vocabulary.parquet", statistics=False)
    codes = code_items(catalogue, vocabulary)
    np.save(folder / "item_content.npy", codes)
    np.save(folder / "item_text.npy", text_tokens(catalogue))
    return {
        "profile_event_types": list(counted),
        "user_attributes": attributes.values,
        "item_content_sizes": [int(size) for size in codes.max(axis=0, initial=0) + 1],
        "num_text_words": NUM_WORDS,
        "price_edges": price_edges(vocabulary),
    }


def _write_user_features(folder: Path, *, counted: tuple[str, ...], has_times: bool) -> None:
    """Write user_number.npy and user_category.npy block by block of users, so that memory use is bounded."""
    columns = {
        name: np.load(folder / f"{name}.npy", mmap_mode="r")
        for name in ("time", "event_type", "price", "item")
    }
    offsets, categories = np.load(folder / "offsets.npy"), np.load(folder / "category.npy", mmap_mode="r")
    num_events = int(offsets[-1])
    with (
        (folder / "user_number.npy").open("wb") as numbers,
        (folder / "user_category.npy").open("wb") as favourites,
    ):
        _write_header(numbers, np.float32, (num_events, len(USER_NUMBERS)))
        _write_header(favourites, np.int32, (num_events,))
        for first, last in _user_blocks(offsets):
            which = slice(int(offsets[first]), int(offsets[last]))
            events = {name: np.asarray(column[which]) for name, column in columns.items()}
            frame = pl.LazyFrame(
                {
                    "user": np.repeat(
                        np.arange(first, last, dtype=np.int32), np.diff(offsets[first : last + 1])
                    ),
                    "time": events["time"],
                    "kind": events["event_type"],
                    "price": events["price"],
                    "category": categories[events["item"]],
                }
            )
            found = user_features_before_events(
                frame, profile_event_types=counted, has_times=has_times
            ).collect()
            numbers.write(np.ascontiguousarray(found.select(USER_NUMBERS).to_numpy()).tobytes())
            favourites.write(found[FAVOURITE].to_numpy().tobytes())


def _write_header(file: Any, dtype: type[np.generic], shape: tuple[int, ...]) -> None:
    """Write the header of a `.npy` file. Written, not mapped: on a full disk a mapped file kills the
    process."""
    description = np.lib.format.dtype_to_descr(np.dtype(dtype))
    np.lib.format.write_array_header_1_0(file, {"descr": description, "fortran_order": False, "shape": shape})


def _user_blocks(offsets: TimeArray) -> list[tuple[int, int]]:
    """Ranges of users (first, last + 1) with about `EVENTS_AT_ONCE` events each."""
    marks = np.searchsorted(offsets, np.arange(0, int(offsets[-1]) + EVENTS_AT_ONCE, EVENTS_AT_ONCE))
    bounds = np.unique(np.clip(marks, 0, len(offsets) - 1))
    return list(pairwise(bounds.tolist()))
