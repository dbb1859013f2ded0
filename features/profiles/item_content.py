"""Content features of items from the catalogue, as integer codes: what an item tower reads.
Shapes: M rows, G codes.

The vocabulary is one table (column, value, code), so that an item that arrives today is coded without the
dataset.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.core.columns import BRAND, PRICE, PRODUCT_TYPE

ITEM_CONTENT: Final = ("category_1", "category_2", "category", "brand", "price_band")
"""The columns of `item_content.npy`: the first level of the category path, the first two, the whole path,
brand, price band."""

MAX_CODES: Final = 100_000
"""Values of a column that get a code, the most frequent; the rest share 0 with what is unknown."""

NUM_PRICE_BANDS: Final = 10
PATH_SEPARATOR: Final = " > "

_TEXTS: Final = ITEM_CONTENT[:4]
_PRICE_BAND: Final = ITEM_CONTENT[4]
_VOCABULARY: Final = {"column": pl.String, "value": pl.String, "code": pl.Int32}


def item_vocabulary(catalogue: pl.DataFrame) -> pl.DataFrame:
    """(column, value, code) for a catalogue; codes from 1 in the order of frequency, then of name.

    The value of a price band is the lowest price in it (the first band has none): a tenth of the catalogue's
    known prices each.
    """
    texts = _texts(catalogue)
    counted = [
        texts.group_by(pl.col(name).alias("value"))
        .agg(pl.len().alias("count"))
        .drop_nulls("value")
        .sort("count", "value", descending=[True, False])
        .head(MAX_CODES)
        .select(
            pl.lit(name).alias("column"), "value", pl.int_range(1, pl.len() + 1, dtype=pl.Int32).alias("code")
        )
        for name in _TEXTS
    ]
    prices = _prices(catalogue)
    known = prices[prices > 0]
    shares = np.arange(1, NUM_PRICE_BANDS) / NUM_PRICE_BANDS
    edges = np.unique(np.quantile(known, shares, method="lower")) if len(known) else np.empty(0)
    bands = pl.DataFrame(
        {
            "column": [_PRICE_BAND] * len(edges),
            "value": [repr(float(edge)) for edge in edges],
            "code": list(range(2, len(edges) + 2)),
        },
        schema=_VOCABULARY,
    )
    return pl.concat([*counted, bands])


def code_items(rows: pl.DataFrame, vocabulary: pl.DataFrame) -> NDArray[np.int32]:
    """(M, G) codes of catalogue rows (product_type, brand, price: what is absent is unknown), 0 for what has
    none."""
    texts = _texts(rows)
    codes = np.zeros((len(rows), len(ITEM_CONTENT)), np.int32)
    for place, name in enumerate(_TEXTS):
        known = vocabulary.filter(pl.col("column") == name).select(pl.col("value").alias(name), "code")
        found = texts.select(name).join(known, on=name, how="left", maintain_order="left")
        codes[:, place] = found["code"].fill_null(0).to_numpy()
    prices = _prices(rows)
    band = 1 + np.searchsorted(np.array(price_edges(vocabulary)), prices, side="right")
    codes[:, -1] = np.where(prices >= 0, band, 0)
    return codes


def price_edges(vocabulary: pl.DataFrame) -> list[float]:
    """The lowest price of each band but the first, ascending."""
    bands = vocabulary.filter(pl.col("column") == _PRICE_BAND).sort("code")
    return [float(value) for value in bands["value"]]


def _texts(rows: pl.DataFrame) -> pl.DataFrame:
    """The columns `_TEXTS`: a path of one level stands for all three."""
    levels = (
        _text(rows, PRODUCT_TYPE).str.split(PATH_SEPARATOR).list.eval(_stripped(pl.element()).drop_nulls())
    )
    paths = [_stripped(levels.list.head(count).list.join(PATH_SEPARATOR)) for count in (1, 2)]
    return rows.select(
        paths[0].alias("category_1"),
        paths[1].alias("category_2"),
        _stripped(levels.list.join(PATH_SEPARATOR)).alias("category"),
        _stripped(_text(rows, BRAND)).alias("brand"),
    )


def _text(rows: pl.DataFrame, column: str) -> pl.Expr:
    return (
        pl.col(column).cast(pl.String)
        if column in rows.columns
        else pl.repeat(None, pl.len(), dtype=pl.String)
    )


def _stripped(text: pl.Expr) -> pl.Expr:
    """Without the spaces around it; null where nothing is left."""
    stripped = text.str.strip_chars()
    return pl.when(stripped != "").then(stripped)


def _prices(rows: pl.DataFrame) -> NDArray[np.float64]:
    """(M,), NaN where unknown."""
    if PRICE not in rows.columns:
        return np.full(len(rows), np.nan)
    return rows[PRICE].cast(pl.Float64).fill_null(float("nan")).to_numpy()
