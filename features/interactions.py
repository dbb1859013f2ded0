"""What popularity, retrievers and item profiles are fitted on. Shapes: E events, N items."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, Self

import numpy as np
from numpy.typing import NDArray

from configs.schema import Config
from configs.settings.event_types import EventType
from features.core.columns import EVENT_TYPE_CODE, PRICE, SALE_PRICE
from features.dataset import Dataset
from features.histories import History, IntArray
from features.splits import SplitPoint, target_places_before, targets_before
from features.user_keys import user_keys

if TYPE_CHECKING:
    import polars as pl

_LOOKS: Final = [EVENT_TYPE_CODE["select_item"], EVENT_TYPE_CODE["view_item"]]
PARENT_COLUMN: Final = 1
"""The place of `category_2` in `item_content.ITEM_CONTENT`, which needs Polars."""


def _catalogue_at(dataset: Dataset, point: SplitPoint) -> pl.DataFrame:
    import polars as pl  # not above: a machine that only trains the encoder may lack it

    catalogue = pl.read_parquet(dataset.folder / "items.parquet")
    return catalogue if point.name == "full" else catalogue.drop(PRICE, SALE_PRICE, strict=False)


@dataclass(frozen=True)
class EventContexts:
    """Where events came from. Legend: E events, C combinations."""

    codes: NDArray[np.uint16]
    """(E,) 1 + the row of `table` of each event, 0 where nothing is known"""
    table: pl.DataFrame
    """(C,) a combination of country, channel, device and campaign; columns that tell nothing apart are
    missing"""


def _contexts_before(
    dataset: Dataset, point: SplitPoint, targets: Mapping[EventType, float]
) -> EventContexts | None:
    import polars as pl

    codes = dataset.contexts
    if codes is None:
        return None
    places = target_places_before(dataset, point, targets=targets)
    return EventContexts(np.asarray(codes)[places], pl.read_parquet(dataset.folder / "contexts.parquet"))


def _no_catalogue() -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame()


def _nothing_looked_at() -> tuple[IntArray, History]:
    return np.empty(0, np.int32), History.empty()


def _looked_at(dataset: Dataset, point: SplitPoint) -> tuple[IntArray, History]:
    return dataset.events_where(point.past(dataset) & np.isin(dataset.event_types, _LOOKS))


def _no_attributes() -> IntArray:
    return np.zeros((0, 0), np.int32)


@dataclass(frozen=True)
class Interactions:
    """Everyone's target events before a split point, without those that were taken back before it."""

    users: IntArray
    """(E,) the user index of each event"""
    events: History
    """(E,) in the order of users and of time"""
    weights: NDArray[np.float32]
    """(E,) by `history.targets`"""
    num_items: int
    as_of: int
    """Microseconds: no event is at or after it."""
    has_times: bool
    categories: IntArray
    """(N,) leaf category of each item, -1 without one"""
    parents: IntArray
    """(N,) the category above it (the first two levels of its path), -1 without one"""
    user_keys: Callable[[], Sequence[str]]
    """Gives user index → key of the user; not read before it is needed"""
    catalogue: Callable[[], pl.DataFrame] = _no_catalogue
    """Gives what the catalogue says of each item (N), without prices where they came after `as_of`; not read
    before it is needed"""
    looked_at: Callable[[], tuple[IntArray, History]] = _nothing_looked_at
    """Gives everyone's views before `as_of`: the user index of each, and the events, in the same order; not
    read before it is needed"""
    user_attributes: Callable[[], IntArray] = _no_attributes
    """Gives user index → codes (U, A) of what the shop knows of them; not read before it is needed"""
    contexts: Callable[[], EventContexts | None] = lambda: None
    """Gives where the events (E) came from; None where they do not say. Not read before it is needed"""
    trained: Mapping[str, object] = field(default_factory=dict)
    """Retrievers that training made, by name: they are taken as they are."""

    @classmethod
    def before(
        cls,
        dataset: Dataset,
        point: SplitPoint,
        config: Config,
        *,
        trained: Mapping[str, object] | None = None,
    ) -> Self:
        """The interactions of a dataset before a split point."""
        users, events, weights = targets_before(dataset, point, targets=config.history.targets)
        return cls(
            users=users,
            events=events,
            weights=weights,
            num_items=dataset.num_items,
            as_of=point.as_of,
            has_times=dataset.has_times,
            categories=np.asarray(dataset.categories),
            parents=parent_categories(dataset),
            user_keys=partial(user_keys, dataset),
            catalogue=partial(_catalogue_at, dataset, point),
            looked_at=partial(_looked_at, dataset, point),
            user_attributes=lambda: np.asarray(dataset.user_attributes),
            contexts=partial(_contexts_before, dataset, point, config.history.targets),
            trained=trained or {},
        )


def parent_categories(dataset: Dataset) -> IntArray:
    """(N,) code of the first two levels of each item's category path, -1 without one."""
    codes: IntArray = np.asarray(dataset.item_content[:, PARENT_COLUMN]) - 1
    return codes
