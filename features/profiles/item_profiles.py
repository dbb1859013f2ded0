"""What everyone's events say of each item as of a split point: the table that ranker columns are read from.

Shapes: E events, N items.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from configs.schema import Config
from features.core.bundle_files import read_array, require_shapes
from features.core.grown import grown
from features.histories import IntArray, TimeArray
from features.interactions import Interactions
from features.profiles.item_popularity import first_seen, popularity
from features.profiles.item_statistics import ITEM_STATISTICS, item_statistics


@dataclass(frozen=True)
class ItemProfiles:
    """One row an item (N). In a bundle each field is one `.npy` file of its name."""

    popularity: NDArray[np.float32]
    """(N,) summed weight of the target events in the recent window"""
    popularity_before: NDArray[np.float32]
    """(N,) the same in the window before that one"""
    popularity_all: NDArray[np.float32]
    """(N,) the same over all time"""
    first_seen: TimeArray
    """(N,) microseconds; the split point itself for an item without events before it"""
    price: NDArray[np.float32]
    """(N,) mean price of the target events, NaN where unknown"""
    category: IntArray
    """(N,) -1 without one"""
    parent: IntArray
    """(N,) the category above it (the first two levels of its path), -1 without one"""
    statistics: NDArray[np.float32]
    """(N, F) see `item_statistics`"""

    @property
    def known(self) -> NDArray[np.bool_]:
        """(N,) True for items with a target event before the split point that was not taken back: only these
        have a trained vector."""
        return self.popularity_all > 0

    @classmethod
    def fit(cls, interactions: Interactions, config: Config) -> Self:
        """Aggregate everyone's target events before the split point."""
        events, weights = interactions.events, interactions.weights
        num_items, as_of = interactions.num_items, interactions.as_of
        days = config.retrievers.popularity_days if interactions.has_times else None

        def popular(days: float | None) -> NDArray[np.float32]:
            return popularity(events, weights=weights, num_items=num_items, as_of=as_of, days=days)

        recent = popular(days)
        return cls(
            popularity=recent,
            popularity_before=popular(2 * days if days else None) - recent,
            popularity_all=popular(None),
            first_seen=first_seen(events, num_items=num_items, as_of=as_of),
            price=_mean_price(events.items, events.prices, num_items=num_items),
            category=interactions.categories,
            parent=interactions.parents,
            statistics=item_statistics(
                interactions.users,
                events,
                weights=weights,
                categories=interactions.categories,
                parents=interactions.parents,
                as_of=as_of,
                days=days,
            ),
        )

    def grown(self, num_items: int, *, now: int) -> Self:
        """For a catalogue of so many items: the new ones came `now`, and nothing else is known of them."""
        longer = grown(vars(self), _SHAPES, num_items=num_items)
        longer["price"][len(self.price) :] = np.nan
        longer["first_seen"][len(self.price) :] = now
        return replace(self, **longer)

    def save(self, folder: Path) -> None:
        """Write one `.npy` a field."""
        folder.mkdir(parents=True, exist_ok=True)
        for field in fields(self):
            np.save(folder / f"{field.name}.npy", getattr(self, field.name))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Map the files of `save`, so that replicas on one machine share them. Raises ArtefactError."""
        return cls(**{field.name: read_array(folder / f"{field.name}.npy") for field in fields(cls)})

    def require_shapes(self, folder: Path, *, num_items: int) -> None:
        """Raise ArtefactError where a file holds something else than its name says."""
        sizes = {"N": num_items, "F": len(ITEM_STATISTICS)}
        require_shapes(folder, vars(self), _SHAPES, sizes=sizes)


_SHAPES: Final = dict.fromkeys((one.name for one in fields(ItemProfiles)), "float N") | {
    "first_seen": "time N",
    "category": "code N",
    "parent": "code N",
    "statistics": "float N F",
}


def _mean_price(items: IntArray, prices: NDArray[np.float32], *, num_items: int) -> NDArray[np.float32]:
    known = prices > 0
    count = np.bincount(items[known], minlength=num_items)
    total = np.bincount(items[known], weights=prices[known], minlength=num_items)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)
