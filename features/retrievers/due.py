"""When each of a user's own items is due again. Shapes: N items, M own items, C candidates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray

from configs.schema import Config
from features.core.bundle_files import require_shapes
from features.core.columns import EVENT_TYPE_CODE
from features.histories import IntArray, TimeArray
from features.interactions import Interactions
from features.own_item_reasons import days_or_hours_ago, own_item_reasons
from features.profiles.due_columns import DUE_COLUMNS, due_columns
from features.profiles.due_model import Purchases, fit_due_model, probability
from features.profiles.item_intervals import STATISTICS
from features.profiles.purchase_rhythm import PurchaseRhythm, decayed, purchase_rhythm
from features.retriever import Reason, Retrieval, Retriever, ScoredItems, UserContext, Wording

MOMENTS_TO_KNOW: Final = 3
"""A user's interval is known after so many purchases."""
OVERDUE_INTERVALS: Final = 3.0
"""After so many intervals without a purchase nobody says any more that the user buys it."""


@dataclass(frozen=True)
class Due(Retriever):
    """The user's own items, by the probability that they buy each within `retrievers.due_days`.

    Without times it gives nothing.
    """

    name: ClassVar[str] = "due"
    label: ClassVar[str] = "due to be bought again"
    is_general: ClassVar[bool] = False
    num_candidates: ClassVar[int] = 500
    shapes: ClassVar[Mapping[str, str]] = {
        "intervals": "float N S",
        "of_shop": "float S",
        "weights": "float F",
        "days": "float D",
    }

    intervals: NDArray[np.float32]
    """(N, 4) `item_intervals.STATISTICS` of each item less those of the shop"""
    of_shop: NDArray[np.float32]
    """(4,) those of the shop"""
    weights: NDArray[np.float64]
    """(F,) of `DUE_COLUMNS`"""
    days: NDArray[np.float32]
    """(1,) within how many days; 0 without times"""

    @classmethod
    def fit(cls, interactions: Interactions, config: Config) -> Self:
        """See `Retriever.fit`."""
        days = config.retrievers.due_days if interactions.has_times else 0.0
        purchases = Purchases(
            interactions.users, interactions.events.items, interactions.events.times, interactions.categories
        )
        intervals, of_shop = purchases.item_table(interactions.as_of)
        weights = fit_due_model(purchases, as_of=interactions.as_of, days=days or 1.0)
        return cls(intervals=intervals, of_shop=of_shop, weights=weights, days=np.array([days], np.float32))

    def require_shapes(self, folder: Path, *, num_items: int) -> None:
        """See `Retriever.require_shapes`."""
        sizes = {"N": num_items, "S": len(STATISTICS), "F": len(DUE_COLUMNS), "D": 1}
        require_shapes(folder, vars(self), self.shapes, sizes=sizes)

    def for_user(self, user: UserContext) -> ScoredItems:
        """See `Retriever.for_user`. The scores are probabilities."""
        own = user.profile.own.codes
        if not len(own) or not self.days[0]:
            return ScoredItems.none()
        rows = np.searchsorted(own, user.profile.target_items)
        times = user.profile.target_times
        everything, once = np.zeros(len(times), np.int64), np.zeros(len(own), np.int64)
        columns = due_columns(
            purchase_rhythm(rows, times, num_rows=len(own), as_of=user.as_of),
            purchase_rhythm(everything, times, num_rows=1, as_of=user.as_of).take(once),
            np.full(len(own), decayed(times, as_of=user.as_of).sum()),
            (self.intervals[own] + self.of_shop).astype(np.float64),
            days=float(self.days[0]),
        )
        return ScoredItems(items=own, scores=probability(columns @ self.weights).astype(np.float32))

    def reasons(self, items: IntArray, retrieval: Retrieval, wording: Wording) -> Mapping[int, Reason]:
        """Every how many days, where the user's interval is known and ends within `days`, or has ended; else
        how often and how lately."""
        user = retrieval.user
        found = dict(own_item_reasons(items, user, wording))
        bought, last, rhythm = _bought(user)
        interval, since = rhythm.mean_interval, rhythm.since_last
        is_known = rhythm.moments >= MOMENTS_TO_KNOW
        ends = (since + float(self.days[0]) >= interval) & (since <= OVERDUE_INTERVALS * interval)
        for row in np.flatnonzero(is_known & ends & np.isin(bought, items)).tolist():
            ago = days_or_hours_ago(user.as_of - int(last[row]))
            text = f"You buy this about every {_days(interval[row])}; last {ago}"
            found[int(bought[row])] = Reason("due", text, priority=1)
        return found


def _bought(user: UserContext) -> tuple[IntArray, TimeArray, PurchaseRhythm]:
    """((M,), (M,), (M,)): the items that the user purchased, when last, and the rhythm of each."""
    is_purchase = user.profile.target_event_types == EVENT_TYPE_CODE["purchase"]
    items, rows = np.unique(user.profile.target_items[is_purchase], return_inverse=True)
    times = user.profile.target_times[is_purchase]
    last = np.zeros(len(items), np.int64)
    last[rows] = times  # they ascend, and the latest of an item is written last
    return items, last, purchase_rhythm(rows, times, num_rows=len(items), as_of=user.as_of)


def _days(interval: float) -> str:
    days = round(interval)
    return "day" if days <= 1 else f"{days} days"
