"""The keys of a dataset's users, under which the server keeps them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from features.core.columns import USER_ID
from features.dataset import Dataset


def user_keys(dataset: Dataset) -> list[str]:
    """User index → key, see `features.core.ids.user_key`."""
    return _read(dataset.folder / "users.parquet", dataset.fingerprint)


@lru_cache(maxsize=1)
def _read(path: Path, _fingerprint: str) -> list[str]:
    import polars as pl  # not above: a machine that only trains the encoder may lack it

    keys: list[str] = pl.read_parquet(path, columns=[USER_ID])[USER_ID].to_list()
    return keys
