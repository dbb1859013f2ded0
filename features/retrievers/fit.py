"""Every source of candidates that needs no neural network, fitted on the events before a split point, as flat
arrays."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from configs.schema import Config
from features.dataset import Dataset
from features.histories import IntArray, TimeArray
from features.profiles.item_popularity import first_seen, popularity
from features.profiles.item_statistics import item_statistics
from features.profiles.repeat_rates import repeat_rates
from features.retrievers.item_neighbours import Neighbours, basket_neighbours, next_neighbours
from features.retrievers.user_knn import People, fit_people
from features.sessions import session_numbers
from features.splits import SplitPoint, targets_before

PARENT_COLUMN = 1
"""The place of `category_2` among `ITEM_CONTENT`, which is not imported here since it needs Polars."""


@dataclass(frozen=True)
class SourceTables:
    """One row an item (N). In a bundle each field is one `.npy` file of its name."""

    popularity: NDArray[np.float32]
    """(N,) summed weight of the target events in the recent window"""
    popularity_before: NDArray[np.float32]
    """(N,) the same in the window before that one"""
    popularity_all: NDArray[np.float32]
    """(N,) the same over all time"""
    first_seen: TimeArray
    """(N,) microseconds; the split point itself for an item without events before it"""
    repeat_rate: NDArray[np.float32]
    """(N,)"""
    repeat_gap_days: NDArray[np.float32]
    """(N,)"""
    price: NDArray[np.float32]
    """(N,) mean price of the target events, NaN where unknown"""
    category: IntArray
    """(N,) -1 without one"""
    parent: IntArray
    """(N,) the category above it (the first two levels of its path), -1 without one"""
    numbers: NDArray[np.float32]
    """(N, F) see `item_statistics`"""
    basket_items: IntArray
    """(N, K) see `cooccurrence.Neighbours`"""
    basket_scores: NDArray[np.float32]
    """(N, K)"""
    next_items: IntArray
    """(N, K)"""
    next_scores: NDArray[np.float32]
    """(N, K)"""
    people_idf: NDArray[np.float32]
    """(N,) this and the five below: see `people.People`"""
    people_item_offsets: TimeArray
    people_members: IntArray
    people_weights: NDArray[np.float32]
    people_recent_offsets: TimeArray
    people_recent_items: IntArray

    @property
    def in_baskets(self) -> Neighbours:
        return Neighbours(items=self.basket_items, scores=self.basket_scores)

    @property
    def in_next_baskets(self) -> Neighbours:
        return Neighbours(items=self.next_items, scores=self.next_scores)

    @property
    def people(self) -> People:
        return People(
            idf=self.people_idf,
            item_offsets=self.people_item_offsets,
            members=self.people_members,
            weights=self.people_weights,
            recent_offsets=self.people_recent_offsets,
            recent_items=self.people_recent_items,
        )

    @property
    def known(self) -> NDArray[np.bool_]:
        """(N,) True for items with a target event before the split point that was not taken back: only these
        have a fitted vector."""
        return self.popularity_all > 0

    def save(self, folder: Path) -> None:
        """Write one `.npy` a field."""
        for field in fields(self):
            np.save(folder / f"{field.name}.npy", getattr(self, field.name))

    @classmethod
    def load(cls, folder: Path) -> SourceTables:
        """Map the files of `save`, so that replicas on one machine share them."""
        return cls(
            **{
                field.name: np.asarray(np.load(folder / f"{field.name}.npy", mmap_mode="r"))
                for field in fields(cls)
            }
        )


def fit_sources(dataset: Dataset, point: SplitPoint, config: Config) -> SourceTables:
    """Fit popularity, repeats and co-occurrence on everyone's target events before the split point, without
    those taken back before it.

    The weight of a kind counts in popularity. Co-occurrence and repeat rates ask whether, not how much, so
    there it does not.
    """
    users, events, weights = targets_before(dataset, point, targets=config.history.targets)
    settings, num_items, as_of = config.candidates, dataset.num_items, point.as_of
    days = settings.popularity_days if dataset.has_times else None
    recent = popularity(events, weights=weights, num_items=num_items, as_of=as_of, days=days)
    two_windows = popularity(
        events, weights=weights, num_items=num_items, as_of=as_of, days=2 * days if days else None
    )
    categories, parents = np.asarray(dataset.categories), parent_categories(dataset)
    rates = repeat_rates(users, events, num_items=num_items, as_of=as_of)
    errands = replace(events, baskets=session_numbers(users, events)) if dataset.has_times else events
    together = basket_neighbours(
        errands, num_items=num_items, as_of=as_of, num_neighbours=settings.num_neighbours
    )
    following = next_neighbours(
        users,
        errands,
        num_items=num_items,
        as_of=as_of,
        num_neighbours=settings.num_neighbours,
        days=settings.together_days,
    )
    people = fit_people(users, events, num_items=num_items, as_of=as_of, days=2 * days if days else None)
    return SourceTables(
        popularity=recent,
        popularity_before=two_windows - recent,
        popularity_all=popularity(events, weights=weights, num_items=num_items, as_of=as_of, days=None),
        first_seen=first_seen(events, num_items=num_items, as_of=as_of),
        repeat_rate=rates.rate,
        repeat_gap_days=rates.gap_days,
        price=_mean_price(events.items, events.prices, num_items=num_items),
        category=categories,
        parent=parents,
        numbers=item_statistics(
            users, events, weights=weights, categories=categories, parents=parents, as_of=as_of, days=days
        ),
        basket_items=together.items,
        basket_scores=together.scores,
        next_items=following.items,
        next_scores=following.scores,
        people_idf=people.idf,
        people_item_offsets=people.item_offsets,
        people_members=people.members,
        people_weights=people.weights,
        people_recent_offsets=people.recent_offsets,
        people_recent_items=people.recent_items,
    )


def parent_categories(dataset: Dataset) -> IntArray:
    """(N,) code of the first two levels of each item's category path, -1 without one."""
    codes: IntArray = np.asarray(dataset.item_content[:, PARENT_COLUMN]) - 1
    return codes


def _mean_price(items: IntArray, prices: NDArray[np.float32], *, num_items: int) -> NDArray[np.float32]:
    known = prices > 0
    count = np.bincount(items[known], minlength=num_items)
    total = np.bincount(items[known], weights=prices[known], minlength=num_items)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)
