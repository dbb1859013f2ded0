"""Bundles of two and three products that are bought together, with their price.

Shapes: N items, R bundles.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.core.columns import AVAILABILITY, CURRENCY, ID, PRICE, SALE_PRICE, SOLD_OUT, TITLE
from features.histories import IntArray
from features.profiles.association_rules import Pairs
from features.profiles.itemsets import Triples

MAX_BUNDLES: Final = 10_000
"""Bundles of each size in the table, at most: the first by score."""

SCHEMA: Final = {
    "size": pl.Int8,
    **{f"item_id_{place}": pl.String for place in (1, 2, 3)},
    **{f"title_{place}": pl.String for place in (1, 2, 3)},
    "together": pl.Int64,
    "support": pl.Float64,
    "confidence": pl.Float64,
    "lift": pl.Float64,
    "log_p": pl.Float64,
    "score": pl.Float64,
    "price": pl.Float64,
    "currency": pl.String,
}
"""The third item of a pair is null. The last item is the one that the others foretell best: `confidence` is
the share of the baskets with the others that hold it. `price` is the sum of the present prices, null where
one is unknown."""


def product_bundles(pairs: Pairs, triples: Triples, catalogue: pl.DataFrame) -> pl.DataFrame:
    """The bundles whose items can all be bought, best first, with the columns of `SCHEMA`.

    The score is the baskets that hold the bundle times the logarithm of its lift: what it adds to what one
    knows of the baskets, which is little for what is rare and for what is together by chance.
    """
    buyable = _buyable(catalogue)
    found = [_of_pairs(pairs, buyable), _of_triples(triples, buyable)]
    table = pl.concat([_described(rows, items, catalogue) for rows, items in found])
    return table.sort("score", descending=True, maintain_order=True)


def _of_pairs(pairs: Pairs, buyable: NDArray[np.bool_]) -> tuple[pl.DataFrame, IntArray]:
    pairs = pairs.take(buyable[pairs.left] & buyable[pairs.right])
    pairs = pairs.take(_best(pairs))
    to_right, to_left = pairs.confidence
    items = np.stack([pairs.left, pairs.right], axis=1)
    items[to_left > to_right] = items[to_left > to_right][:, ::-1]
    rows = _figures(pairs, np.maximum(to_left, to_right))
    return rows, items


def _of_triples(triples: Triples, buyable: NDArray[np.bool_]) -> tuple[pl.DataFrame, IntArray]:
    triples = triples.take(np.flatnonzero(buyable[triples.items].all(axis=1)))
    triples = triples.take(_best(triples))
    order = np.argsort(triples.confidence, axis=1, kind="stable")
    items = np.take_along_axis(triples.items, order, axis=1)
    return _figures(triples, triples.confidence.max(axis=1, initial=0)), items


def _scores(found: Pairs | Triples) -> NDArray[np.float64]:
    return np.asarray(found.together * np.log(found.lift), np.float64)


def _best(found: Pairs | Triples) -> NDArray[np.intp]:
    return np.argsort(-_scores(found), kind="stable")[:MAX_BUNDLES]


def _figures(found: Pairs | Triples, confidence: NDArray[np.float64]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "together": found.together,
            "support": found.support,
            "confidence": confidence,
            "lift": found.lift,
            "log_p": found.log_p,
            "score": _scores(found),
        }
    )


def _described(rows: pl.DataFrame, items: IntArray, catalogue: pl.DataFrame) -> pl.DataFrame:
    """The figures (R) of bundles with what the catalogue says of their items (R, 2) or (R, 3)."""
    size = items.shape[1]
    titles = pl.coalesce([name for name in (TITLE, ID) if name in catalogue.columns])
    named = catalogue.select(pl.col(ID).alias("item_id"), titles.alias("title")).cast(pl.String)
    columns = [
        (named[name].gather(items[:, place]) if place < size else pl.lit(None)).alias(f"{name}_{place + 1}")
        for name in named.columns
        for place in range(3)
    ]
    currency = catalogue[CURRENCY].drop_nulls().first() if CURRENCY in catalogue.columns else None
    price = pl.Series(_present_prices(catalogue)[items].sum(axis=1))  # one unknown: the sum is unknown
    described = rows.with_columns(
        *columns,
        pl.lit(size).alias("size"),
        price.fill_nan(None).alias("price"),
        pl.lit(currency).alias("currency"),
    )
    return described.select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())


def _present_prices(catalogue: pl.DataFrame) -> NDArray[np.float64]:
    """(N,) what an item costs now, NaN where that is unknown."""
    columns = [name for name in (SALE_PRICE, PRICE) if name in catalogue.columns]
    if not columns:
        return np.full(len(catalogue), np.nan)
    return catalogue.select(pl.coalesce(columns).cast(pl.Float64).fill_null(np.nan)).to_series().to_numpy()


def _buyable(catalogue: pl.DataFrame) -> NDArray[np.bool_]:
    """(N,) what is not sold out."""
    if AVAILABILITY not in catalogue.columns:
        return np.ones(len(catalogue), bool)
    return ~catalogue[AVAILABILITY].eq_missing(SOLD_OUT).to_numpy()
