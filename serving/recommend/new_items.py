"""A bundle with items that came after it was made: recommendable from what the catalogue says of them.

Shapes: N items of the bundle, M new ones, D width of the vectors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.core.columns import ID, PRICE, PRODUCT_TYPE, SALE_PRICE
from features.histories import IntArray
from features.profiles.content_neighbours import ContentNeighbours
from features.profiles.item_content import PATH_SEPARATOR
from features.profiles.item_profiles import ItemProfiles
from features.profiles.item_statistics import ITEM_STATISTICS
from features.retrievers.encoder import EncoderRetriever
from serving.recommend.bundle import Bundle

_OF_CATEGORY = ("category_popularity", "parent_popularity", "category_return_rate")
"""Statistics that an item has from the others of its category"""


def with_new_items(bundle: Bundle, items: pl.DataFrame, *, now: int) -> Bundle:
    """The bundle with the `items` (M catalogue rows): appended, or shown from now on where the bundle has the
    id already and nobody had bought it.

    Their vector is that of the item tower, or of items that are described alike. Nothing of `bundle` changes.
    """
    index, before = bundle.item_index, bundle.num_items
    ids = items[ID].to_list()
    appended = items.filter(pl.Series([item not in index for item in ids], dtype=pl.Boolean))
    catalogue = pl.concat([bundle.catalogue, appended], how="diagonal_relaxed")
    place_of = index | {item: before + place for place, item in enumerate(appended[ID].to_list())}
    places = np.array([place_of[item] for item in ids], np.int32)
    new, num_items = np.arange(before, len(catalogue), dtype=np.int32), len(catalogue)
    retrievers = {name: one.grown(num_items, new=new) for name, one in bundle.retrievers.items()}
    encoder = retrievers.get(EncoderRetriever.name)
    if isinstance(encoder, EncoderRetriever):
        retrievers[EncoderRetriever.name] = encoder.with_vectors(places, _vectors(bundle, encoder, items))
    can_be_shown = np.zeros(num_items, bool)
    can_be_shown[:before] = bundle.can_be_shown
    can_be_shown[places] = True
    return replace(
        bundle,
        catalogue=catalogue,
        can_be_shown=can_be_shown,
        retrievers=retrievers,
        item_profiles=_profiles(bundle, items, places, num_items=num_items, now=now),
    )


def _vectors(bundle: Bundle, encoder: EncoderRetriever, items: pl.DataFrame) -> NDArray[np.float32]:
    """(M, D)"""
    if bundle.item_encoder is not None:
        return bundle.item_encoder.vectors(items)
    trained = encoder.item_vectors[: bundle.num_items]
    return ContentNeighbours.of(bundle.catalogue).vectors(items, trained)


def _profiles(
    bundle: Bundle, items: pl.DataFrame, places: IntArray, *, num_items: int, now: int
) -> ItemProfiles:
    """With the category, price and category's statistics of the new items."""
    profiles = bundle.item_profiles.grown(num_items, now=now)
    mates = _first_of_each_category(bundle)
    columns = [ITEM_STATISTICS.index(name) for name in _OF_CATEGORY]
    for place, row in zip(places.tolist(), items.iter_rows(named=True), strict=True):
        path = row.get(PRODUCT_TYPE)
        mate = mates.get(path)
        if mate is not None:
            profiles.category[place] = profiles.category[mate]
            profiles.statistics[place, columns] = profiles.statistics[mate, columns]
        near = mate if mate is not None else mates.get(_parent(path))
        if near is not None:
            profiles.parent[place] = profiles.parent[near]
        price = _price(row)
        if price > 0:
            profiles.price[place] = price
            profiles.statistics[place, ITEM_STATISTICS.index("log_price")] = np.log(price)
    return profiles


def _price(row: Mapping[str, Any]) -> float:
    found = row.get(SALE_PRICE) if row.get(SALE_PRICE) is not None else row.get(PRICE)
    return float(found or 0)


def _first_of_each_category(bundle: Bundle) -> dict[str | None, int]:
    """Category path, and each path's first two levels -> an item that has it."""
    if PRODUCT_TYPE not in bundle.catalogue.columns:
        return {}
    paths = bundle.catalogue[PRODUCT_TYPE].to_list()
    found: dict[str | None, int] = {}
    for item, path in enumerate(paths):
        if path is not None:
            found.setdefault(_parent(path), item)
    return found | {path: item for item, path in enumerate(paths) if path is not None}


def _parent(path: str | None) -> str | None:
    return None if path is None else PATH_SEPARATOR.join(path.split(PATH_SEPARATOR)[:2])
