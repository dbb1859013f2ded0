"""The fingerprint of what a training learns from: events, users, and what is known of the items with events.

Stock, prices in the catalogue, titles and items without events are no part of it: an edited catalogue is no
new training data.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

import polars as pl

from features.core import columns as c
from features.core.artefact import sha256_file

_EVENT_FILES: Final = ("item", "event_type", "time", "basket", "price", "offsets")
_OF_ITEMS: Final = (c.ID, c.PRODUCT_TYPE, c.BRAND)


def training_data_fingerprint(folder: Path, *, items: pl.DataFrame, users: pl.DataFrame, clock: str) -> str:
    """16 hex digits for a dataset folder whose event files are written.

    `items` are the rows of the items with events, in the order of their indices; `users` all users.
    """
    digest = hashlib.sha256(clock.encode())
    for name in _EVENT_FILES:
        digest.update(sha256_file(folder / f"{name}.npy").encode())
    for rows in (items.select(_OF_ITEMS), users.select(c.USER_ID, "attributes")):
        texts = rows.select(
            pl.concat_str(pl.all().cast(pl.String).fill_null("\x00"), separator="\x1f")
        ).to_series()
        digest.update("\x1e".join(texts).encode())
    return digest.hexdigest()[:16]
