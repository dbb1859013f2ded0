"""What a purchase of each item brings in: its price, and its margin. Shapes: N items."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.core.columns import PRICE, SALE_PRICE
from features.histories import IntArray
from serving.recommend.bundle import Bundle

COST: Final = "cost_of_goods_sold"


def item_prices(bundle: Bundle) -> NDArray[np.float32]:
    """(N,) what one unit costs the customer: the catalogue's sale price or price; else the mean that was
    paid; else the mean of the item's category, or of the shop. 0 where no price is known at all."""
    listed = _listed(bundle)
    known = np.where(listed > 0, listed, bundle.item_profiles.price)
    return _filled(known, np.asarray(bundle.item_profiles.category)).astype(np.float32)


def item_margins(bundle: Bundle) -> NDArray[np.float32]:
    """(N,) what of the price is left after the cost of the goods, below 0 for what is sold under cost.

    An item whose price or cost the catalogue lacks has the mean share of its category, or of the shop. 0
    where no cost is known at all.
    """
    share = np.full(bundle.num_items, np.nan)
    if COST in bundle.catalogue.columns:
        listed = _listed(bundle)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(listed > 0, 1 - _numbers(bundle.catalogue, COST) / listed, np.nan)
    shares = _filled(share, np.asarray(bundle.item_profiles.category))
    return (item_prices(bundle) * shares).astype(np.float32)


def _listed(bundle: Bundle) -> NDArray[np.float64]:
    """(N,) the catalogue's price, NaN where it has none."""
    columns = [name for name in (SALE_PRICE, PRICE) if name in bundle.catalogue.columns]
    if not columns:
        return np.full(bundle.num_items, np.nan)
    return _numbers(bundle.catalogue.select(pl.coalesce(columns).alias(PRICE)), PRICE)


def _numbers(table: pl.DataFrame, column: str) -> NDArray[np.float64]:
    return table[column].cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _filled(values: NDArray[np.floating[Any]], categories: IntArray) -> NDArray[np.float64]:
    """(N,) without NaN: the mean of the category where a value is unknown, or of all, or 0."""
    known = np.isfinite(values)
    if not known.any():
        return np.zeros(len(values))
    codes, size = categories + 1, int(categories.max(initial=-1)) + 2
    sums = np.bincount(codes[known], weights=values[known], minlength=size)
    counts = np.bincount(codes[known], minlength=size)
    counts[0] = 0  # items without a category are none
    means = np.where(counts > 0, sums / np.maximum(counts, 1), values[known].mean())
    return np.where(known, values, means[codes])
