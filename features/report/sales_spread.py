"""How unevenly sales are spread over the catalogue: what the lists are compared with."""

from __future__ import annotations

import numpy as np
import polars as pl

from features.core.concentration import Concentration, concentration
from features.report.shop_events import ITEM, purchases


def sales_spread(events: pl.DataFrame, *, num_items: int) -> Concentration | None:
    """Of the purchases among the rows of `shop_events`, over a catalogue of so many items; None without
    any."""
    counts = purchases(events)[ITEM].drop_nulls().value_counts()["count"].to_numpy().astype(np.int64)
    return concentration(np.pad(counts, (0, max(num_items - len(counts), 0))))
