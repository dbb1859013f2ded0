"""What is bought together: the first bundles of the table of `shopkeeper product-bundles`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from configs.exceptions import ArtefactError
from features.report.empty import Empty

NUM_BUNDLES: Final = 5
"""Of each size"""


@dataclass(frozen=True)
class BundleRow:
    """Products that stand in one basket more often than by chance."""

    titles: list[str]
    together: int
    """Baskets with all of them"""
    confidence: float
    lift: float
    price: float | None


@dataclass(frozen=True)
class BoughtTogether:
    """The best of each size."""

    pairs: list[BundleRow]
    triples: list[BundleRow]


def bought_together(path: Path, *, min_together: int) -> BoughtTogether | Empty:
    """Of the table at `path`: bundles of at least `min_together` baskets. Raises ArtefactError for another
    file."""
    if not path.is_file():
        return Empty("no_bundles_made")
    try:
        table = pl.read_parquet(path).filter(pl.col("together") >= min_together)
        pairs, triples = (_rows(table.filter(pl.col("size") == size)) for size in (2, 3))
    except pl.exceptions.PolarsError as error:
        raise ArtefactError(
            f"{path}: is no table of product bundles ({error}). Make it anew: shopkeeper product-bundles"
        ) from None
    if not pairs and not triples:
        return Empty("no_bundles")
    return BoughtTogether(pairs, triples)


def _rows(table: pl.DataFrame) -> list[BundleRow]:
    return [
        BundleRow(
            titles=[row[f"title_{place}"] or row[f"item_id_{place}"] for place in range(1, row["size"] + 1)],
            together=row["together"],
            confidence=row["confidence"],
            lift=row["lift"],
            price=row["price"],
        )
        for row in table.head(NUM_BUNDLES).iter_rows(named=True)
    ]
