"""A bundle with items that came after it was made: recommendable from what the catalogue says of them.

Shapes: N items of the bundle, M new ones, D width of the vectors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.core.columns import ID, ITEM_GROUP_ID, PRICE, PRODUCT_TYPE, SALE_PRICE
from features.histories import IntArray
from features.profiles.content_neighbours import NUM_FOR_VECTOR, ContentNeighbours
from features.profiles.expected_profiles import expect
from features.profiles.item_content import PATH_SEPARATOR
from features.profiles.item_profiles import ItemProfiles
from features.profiles.item_statistics import ITEM_STATISTICS
from features.profiles.stage import INTRODUCTION, STAGE
from features.retriever import DescribedItems
from features.retrievers.encoder import EncoderRetriever
from serving.recommend.bundle import Bundle

_OF_CATEGORY: Final = ("category_popularity", "parent_popularity", "category_return_rate")
"""Statistics that an item has from the others of its category"""


class NewItems:
    """What a bundle says of items that came later. Making one takes a second for 100,000 items, so it is made
    once."""

    def __init__(self, bundle: Bundle) -> None:
        self._item_encoder, self._num_items = bundle.item_encoder, bundle.num_items
        self._neighbours = ContentNeighbours.of(bundle.catalogue)
        self._mates = _mates(bundle.catalogue)
        self._had = np.asarray(bundle.item_profiles.known)

    def added_to(self, bundle: Bundle, items: pl.DataFrame, *, now: int) -> Bundle:
        """The bundle with the `items` (M catalogue rows): appended, or shown from now on where the bundle has
        the id already and nobody had bought it.

        Their vector is that of the item tower, or of items that are described alike, whose popularity is what
        the ranker expects of them. Nothing of `bundle` changes; it is the one that this was made of, or one
        that came out of here.
        """
        index, before = bundle.item_index, bundle.num_items
        ids = items[ID].to_list()
        appended = items.filter(pl.Series([item not in index for item in ids], dtype=pl.Boolean))
        if STAGE in bundle.catalogue.columns:
            appended = appended.with_columns(pl.lit(INTRODUCTION).alias(STAGE))
        catalogue = pl.concat([bundle.catalogue, appended], how="diagonal_relaxed")
        place_of = {item: before + place for place, item in enumerate(appended[ID].to_list())}
        places = np.array([place_of.get(item, index.get(item)) for item in ids], np.int32)
        num_items, new = len(catalogue), np.arange(before, len(catalogue), dtype=np.int32)
        can_be_shown = np.zeros(num_items, bool)
        can_be_shown[:before] = bundle.can_be_shown
        can_be_shown[places] = True
        profiles = bundle.item_profiles.grown(num_items, now=now)
        expected = bundle.ranked_profiles.grown(num_items, now=now)
        for one in (profiles, expected):
            self._describe(one, items, places)
        apart = items.drop(ITEM_GROUP_ID, strict=False)  # what a variant sells says most
        expect(expected, places, self._neighbours.nearest(apart, count=NUM_FOR_VECTOR, among=self._had))
        larger = replace(
            bundle,
            catalogue=catalogue,
            can_be_shown=can_be_shown,
            item_profiles=profiles,
            expected_profiles=expected,
        )
        facts = self._facts(larger, items, places)
        grown = {name: one.grown(num_items, new=new) for name, one in bundle.retrievers.items()}
        return replace(larger, retrievers={name: one.described(facts) for name, one in grown.items()})

    def _facts(self, bundle: Bundle, items: pl.DataFrame, places: IntArray) -> DescribedItems:
        """What follows for the `items` (M catalogue rows) of a bundle that has them at `places` (M,)."""
        near = self._neighbours.followed_by(bundle.catalogue[self._num_items :]).nearest(
            items,
            count=bundle.settings.retrievers.num_neighbours,
            places=places,
            among=bundle.can_be_shown,
        )
        expected = bundle.ranked_profiles.popularity[places]
        return DescribedItems(places, near, self._vectors(items, bundle), expected)

    def _vectors(self, items: pl.DataFrame, bundle: Bundle) -> NDArray[np.float32]:
        """(M, D)"""
        if self._item_encoder is not None:
            return self._item_encoder.vectors(items)
        encoder = bundle.retrievers.get(EncoderRetriever.name)
        if not isinstance(encoder, EncoderRetriever):
            return np.zeros((len(items), 0), np.float32)
        return self._neighbours.vectors(items, encoder.item_vectors[: self._num_items])

    def _describe(self, profiles: ItemProfiles, items: pl.DataFrame, places: IntArray) -> None:
        """Write the category, the price and the category's statistics of the new items into `profiles`."""
        columns = [ITEM_STATISTICS.index(name) for name in _OF_CATEGORY]
        for place, row in zip(places.tolist(), items.iter_rows(named=True), strict=True):
            path = row.get(PRODUCT_TYPE)
            mate = self._mates.get(path)
            if mate is not None:
                profiles.category[place] = profiles.category[mate]
                profiles.statistics[place, columns] = profiles.statistics[mate, columns]
            near = mate if mate is not None else self._mates.get(_parent(path))
            if near is not None:
                profiles.parent[place] = profiles.parent[near]
            price = _price(row)
            if price > 0:
                profiles.price[place] = price
                profiles.statistics[place, ITEM_STATISTICS.index("log_price")] = np.log(price)


def _price(row: Mapping[str, Any]) -> float:
    found = row.get(SALE_PRICE) if row.get(SALE_PRICE) is not None else row.get(PRICE)
    return float(found or 0)


def _mates(catalogue: pl.DataFrame) -> dict[str | None, int]:
    """Category path, and each path's first two levels -> an item that has it."""
    if PRODUCT_TYPE not in catalogue.columns:
        return {}
    distinct = catalogue.select(PRODUCT_TYPE).with_row_index("item").drop_nulls().unique(PRODUCT_TYPE)
    found: dict[str | None, int] = {path: item for item, path in distinct.iter_rows()}
    return {_parent(path): item for path, item in found.items()} | found


def _parent(path: str | None) -> str | None:
    return None if path is None else PATH_SEPARATOR.join(path.split(PATH_SEPARATOR)[:2])
