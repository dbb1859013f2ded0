"""Image files of items as small thumbnails: inputs of the item tower.

Shapes: M images, N items of the catalogue, P bytes of a thumbnail.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from configs.exceptions import ConfigError, DataError
from features.core.columns import ID, IMAGE_PATH
from features.ingest.item_vectors import rows_by_id

SIDE: Final = 32
NUM_BYTES: Final = SIDE * SIDE * 3


@dataclass(frozen=True)
class ItemImages:
    """Thumbnails by item id."""

    ids: pl.Series
    """(M,) distinct"""
    thumbnails: NDArray[np.uint8]
    """(M, P) rows of pixels, each red, green and blue; no pixel is quite black, since zeros mean no image"""
    num_named: int = 0
    """Items that name an image"""
    first_unreadable: str | None = None
    """Why the first file that is no image could not be read"""

    def by_row(self, ids: pl.Series) -> NDArray[np.uint8]:
        """(N, P) for these items, zeros for one without an image."""
        return rows_by_id(self.ids, self.thumbnails, asked=ids)

    def remark(self) -> str:
        """How many of the named files are images, for the report."""
        found = f"{len(self.ids):,} of {self.num_named:,} items with an {IMAGE_PATH} have an image"
        return (
            f"{found}; the first that has none: {self.first_unreadable}" if self.first_unreadable else found
        )


NO_IMAGES: Final = ItemImages(pl.Series(ID, [], pl.String), np.zeros((0, 0), np.uint8))


def read_item_images(folder: Path, items: pl.DataFrame) -> ItemImages:
    """The image files that the catalogue's column `image_path` names, in `folder`. A file that is no image is
    counted, and its item has none.

    Raises DataError without the folder or the column, ConfigError without the extra `images`.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder (data.image_folder, looked for from {Path.cwd()}).")
    if IMAGE_PATH not in items.columns:
        raise DataError(
            f"data.image_folder={folder}: the catalogue has no column {IMAGE_PATH!r}. Name yours in the "
            f"configuration: data.item_columns: {{{IMAGE_PATH}: <your column>}}."
        )
    pillow = _pillow(folder)
    named = items.select(ID, IMAGE_PATH).drop_nulls()
    ids, thumbnails, first_unreadable = [], [], None
    for item, name in named.iter_rows():
        try:
            thumbnails.append(_thumbnail(folder / name, pillow))
            ids.append(item)
        except Exception as error:
            first_unreadable = first_unreadable or f"{name} ({type(error).__name__}: {error})"
    if not ids:
        raise DataError(
            f"data.image_folder={folder}: none of the {len(named):,} files that the column {IMAGE_PATH!r} "
            f"names is an image there. The first: {first_unreadable}."
        )
    return ItemImages(
        pl.Series(ID, ids, pl.String),
        np.stack(thumbnails),
        num_named=len(named),
        first_unreadable=first_unreadable,
    )


def _thumbnail(path: Path, pillow: Any) -> NDArray[np.uint8]:
    """(P,) the image in a square, its sides cut to the shorter one."""
    with pillow.open(path) as image:
        image.draft("RGB", (4 * SIDE, 4 * SIDE))
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        small = image.convert("RGB").resize((SIDE, SIDE), box=(left, top, left + side, top + side))
    return np.maximum(np.asarray(small, np.uint8).reshape(-1), 1)


def _pillow(folder: Path) -> Any:
    try:
        from PIL import Image
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"data.image_folder={folder} needs the extra: pip install 'shopkeeper[images]' ({error.name} is "
            "not installed here)."
        ) from None
    return Image
