"""Which items are variants of one product. Shapes: N items."""

from __future__ import annotations

import numpy as np
import polars as pl

from features.core.columns import ITEM_GROUP_ID
from features.histories import IntArray


def item_groups(catalogue: pl.DataFrame) -> IntArray:
    """(N,) the number of each item's group of variants (`item_group_id`), -1 without one."""
    if ITEM_GROUP_ID not in catalogue.columns:
        return np.full(len(catalogue), -1, np.int32)
    groups = catalogue[ITEM_GROUP_ID].cast(pl.String)
    codes = groups.rank("dense").fill_null(0).cast(pl.Int32).to_numpy() - 1
    return codes.astype(np.int32)
