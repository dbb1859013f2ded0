"""The stages of the products' lives, and which products grow or decline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from configs.schema import Config
from features.core.columns import ID, TITLE
from features.interactions import Interactions
from features.profiles.stage import INTRODUCTION, stages
from features.report.empty import Empty

STAGE_NAMES: Final = (INTRODUCTION, "growth", "mature", "decline")
NUM_PRODUCTS: Final = 5


@dataclass(frozen=True)
class StageRow:
    """The products of a stage that somebody bought."""

    stage: str
    products: int
    share: float
    """Of the products that somebody bought"""
    sales_share: float
    """Of all that was sold"""


@dataclass(frozen=True)
class Product:
    """A product with enough customers to be named."""

    title: str
    customers: int


@dataclass(frozen=True)
class ProductStages:
    """What is shown."""

    rows: list[StageRow]
    growing: list[Product]
    declining: list[Product]
    sold: int
    """Products that somebody bought"""
    never_sold: int
    """Products of the catalogue that nobody bought"""


def product_stages(interactions: Interactions, config: Config) -> ProductStages | Empty:
    """Of all interactions of a dataset."""
    found = stages(interactions, config)
    if found is None:
        return Empty("no_times")
    sales = np.bincount(interactions.events.items, minlength=interactions.num_items)
    if not sales.any():
        return Empty("no_purchases")
    sold = int(np.count_nonzero(sales))
    names = np.where(sales > 0, np.array(found.fill_null("").to_list()), "")
    rows = [
        StageRow(
            stage=stage,
            products=int((names == stage).sum()),
            share=float((names == stage).sum() / sold),
            sales_share=float(sales[names == stage].sum() / max(sales.sum(), 1)),
        )
        for stage in STAGE_NAMES
    ]
    customers = _customers(interactions)
    named = {
        stage: _largest(interactions.catalogue(), customers, names == stage, config)
        for stage in ("growth", "decline")
    }
    return ProductStages(
        rows,
        growing=named["growth"],
        declining=named["decline"],
        sold=sold,
        never_sold=len(sales) - sold,
    )


def _customers(interactions: Interactions) -> NDArray[np.int64]:
    """(N,) different users of each item."""
    size = interactions.num_items
    pairs = np.unique(interactions.users.astype(np.int64) * size + interactions.events.items)
    return np.bincount(pairs % size, minlength=size)


def _largest(
    catalogue: pl.DataFrame, customers: NDArray[np.int64], chosen: NDArray[np.bool_], config: Config
) -> list[Product]:
    places = np.flatnonzero(chosen & (customers >= config.customers.min_group_size))
    best = places[np.argsort(-customers[places], kind="stable")][:NUM_PRODUCTS].tolist()
    titles = catalogue.select(pl.coalesce(TITLE, ID) if TITLE in catalogue.columns else ID).to_series()
    return [Product(titles[place], int(customers[place])) for place in best]
