"""A pipeline and its catalogue as they are after the changes of items that the store holds.

A change of an item that is shown already takes microseconds and is done in place. Items that are new, and
those that nobody had bought, need a larger bundle, which is made beside the one that answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import polars as pl

from features.core.columns import AVAILABILITY, ID, SOLD_OUT, TITLE
from serving.http.catalogue import Catalogue, column_type
from serving.recommend.bundle import Bundle
from serving.recommend.new_items import NewItems
from serving.recommend.pipeline import Pipeline
from serving.state.protocol import ItemChange


@dataclass
class LiveCatalogue:
    """What a service answers with."""

    pipeline: Pipeline
    currency: str | None
    """Of the shop; None where it is not known"""
    number: int = 0
    """Of the last change of the store that is in it"""
    num_new: int = 0
    """Items that its bundle did not have when it was made"""
    catalogue: Catalogue = field(init=False)

    def __post_init__(self) -> None:
        bundle = self.pipeline.bundle
        popularity = np.asarray(bundle.item_profiles.popularity)
        self.catalogue = Catalogue(bundle.catalogue, popularity=popularity, currency=self.currency)

    @cached_property
    def new_items(self) -> NewItems:
        """Of the bundle without new items."""
        return NewItems(self.pipeline.bundle)

    def index(self, item_id: str) -> int | None:
        """Of an item that is there; None for one that was deleted."""
        found = self.pipeline.bundle.item_index.get(item_id)
        return None if found is None or found in self.catalogue.deleted else found

    def follow(self, changes: Sequence[ItemChange]) -> bool:
        """Carry changes out in place, in their order, up to the first that needs a larger bundle. Returns
        whether that was all. Call it between two requests."""
        for change in changes:
            if not self._is_in_place(change):
                return False
            self._apply(change)
            self.number = change.number
        return True

    def after(self, changes: Sequence[ItemChange]) -> Sequence[ItemChange]:
        """Those of the changes that are not in it yet."""
        return [change for change in changes if change.number > self.number]

    def grown(self, changes: Sequence[ItemChange], *, now: int) -> Self:
        """Another one with all changes, for which `follow` was not enough. Nothing of this one changes, so
        that it may answer meanwhile."""
        bundle = replace(self.pipeline.bundle, catalogue=self.catalogue.rows)
        added = [change for change in changes if change.fields is not None and not self._is_in_place(change)]
        rows = pl.DataFrame([_row(bundle, change) for change in added], schema=_schema(bundle, added))
        larger = self.new_items.added_to(bundle, rows, now=now)
        larger.user_attributes(None)  # made here, and not by the first request
        num_new = self.num_new + larger.num_items - bundle.num_items
        found = replace(self, pipeline=Pipeline(larger), num_new=num_new)
        found.__dict__["new_items"] = self.new_items
        found.catalogue.deleted = set(self.catalogue.deleted)
        larger.recommendable[list(self.catalogue.deleted)] = False
        for change in changes:
            found._apply(change)
            found.number = change.number
        return found

    def _is_in_place(self, change: ItemChange) -> bool:
        bundle = self.pipeline.bundle
        item = bundle.item_index.get(change.item_id)
        if change.fields is None:
            return True
        return item is not None and (bool(bundle.can_be_shown[item]) or item in self.catalogue.deleted)

    def _apply(self, change: ItemChange) -> None:
        bundle = self.pipeline.bundle
        item = bundle.item_index.get(change.item_id)
        if item is None:
            return
        if change.fields is None:
            self.catalogue.deleted.add(item)
            bundle.recommendable[item] = False
            return
        self.catalogue.deleted.discard(item)
        self.catalogue.change(item, change.fields)
        self.pipeline.follow(item, change.fields)
        if TITLE in change.fields:
            bundle.titles[item] = change.fields[TITLE] or change.item_id
        has_availability = AVAILABILITY in self.catalogue.columns
        is_sold_out = (
            has_availability and self.catalogue.fields(item, [AVAILABILITY])[AVAILABILITY] == SOLD_OUT
        )
        bundle.recommendable[item] = not is_sold_out


def _row(bundle: Bundle, change: ItemChange) -> Mapping[str, Any]:
    """The catalogue row of a new item; of one that the bundle has, what it says of it with the changes."""
    item = bundle.item_index.get(change.item_id)
    known = {} if item is None else bundle.catalogue.row(item, named=True)
    return {**known, **(change.fields or {}), ID: change.item_id}


def _schema(bundle: Bundle, added: Sequence[ItemChange]) -> Mapping[str, pl.DataType]:
    """The columns of the catalogue, and those that only the new items have."""
    more = {name: column_type(name) for change in added for name in change.fields or {}}
    return more | dict(bundle.catalogue.schema)
