"""Vectors and images of items that the settings name, beside the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from configs.settings.data import DataConfig
from features.core.columns import ID
from features.ingest.item_images import NO_IMAGES, ItemImages, read_item_images
from features.ingest.item_vectors import NO_VECTORS, ItemVectors, read_item_vectors
from features.ingest.text_model import text_model_vectors


@dataclass(frozen=True)
class MadeElsewhere:
    """What the item tower may read of items besides the catalogue."""

    vectors: ItemVectors = NO_VECTORS
    images: ItemImages = NO_IMAGES
    remarks: tuple[str, ...] = ()
    """How many items have them, for the report"""


def read_made_elsewhere(
    data: DataConfig, items: pl.DataFrame, *, log: Callable[[str], None]
) -> MadeElsewhere:
    """The vectors of `data.item_vectors`, or of `data.text_model` for the catalogue's texts; the images of
    `data.image_folder`. Raises DataError, and ConfigError without the extra that one needs."""
    vectors, images, remarks = NO_VECTORS, NO_IMAGES, []
    if data.item_vectors is not None:
        log(f"Reading {data.item_vectors}")
        vectors = read_item_vectors(data.item_vectors)
        remarks.append(vectors.remark(items[ID]))
    if data.text_model is not None:
        log(f"Making vectors of {len(items):,} items with {data.text_model}")
        vectors = text_model_vectors(data.text_model, items)
        remarks.append(vectors.remark(items[ID]))
    if data.image_folder is not None:
        log(f"Reading the images in {data.image_folder}")
        images = read_item_images(data.image_folder, items)
        remarks.append(images.remark())
    return MadeElsewhere(vectors, images, tuple(remarks))
