"""The time split on items' first appearance: the newest tenth of the items is cold.

The moment of the split is the first event of the oldest cold item. What is fitted sees the events before it,
so it sees no event of a cold item. Shapes: E events, N items.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from configs.exceptions import TooLittleDataError
from features.core.columns import MICROSECONDS_PER_DAY
from features.dataset import Dataset
from features.profiles.item_popularity import first_seen
from features.splits import SplitPoint, Timeline, split_point_at

COLD_SHARE = 0.1


@dataclass(frozen=True)
class ColdSplit:
    """Which items are cold, and the moments between which they are measured."""

    timeline: Timeline
    """What the encoder is fitted at: for early stopping, and the split; the last two are the same, since
    nothing is fitted on the events after the split"""
    end: SplitPoint
    """After all events"""
    cold_N: NDArray[np.bool_]
    """Items whose first event is not before the split"""
    warm_N: NDArray[np.bool_]
    """Items with an event before the split"""

    @property
    def point(self) -> SplitPoint:
        """The split."""
        return self.timeline[1]


def cold_split(dataset: Dataset, *, window_days: float, share: float = COLD_SHARE) -> ColdSplit:
    """Hide the newest `share` of the items that have an event, and all that begin at the same moment as the
    oldest of them. The encoder is validated on the `window_days` before the split.

    Raises TooLittleDataError where there is nothing before the validation window.
    """
    _, events = dataset.events_where(np.ones(len(dataset.items), bool))
    end = int(dataset.manifest["last_time"]) + 1
    first_N = first_seen(events, num_items=dataset.num_items, as_of=end)
    begun = np.sort(first_N[first_N < end])
    moment = int(begun[int(len(begun) * (1 - share))])
    validated_from = moment - int(window_days * MICROSECONDS_PER_DAY)
    if validated_from <= begun[0]:
        raise TooLittleDataError(
            f"The newest {share:.0%} of the items begin "
            f"{(moment - begun[0]) / MICROSECONDS_PER_DAY:.1f} days after the first event, so "
            f"split.window_days={window_days:g} leaves nothing to train on: lower it."
        )
    point = split_point_at(dataset, moment, name="test")
    return ColdSplit(
        timeline=(split_point_at(dataset, validated_from, name="validation"), point, point),
        end=split_point_at(dataset, end, name="full"),
        cold_N=(first_N >= moment) & (first_N < end),
        warm_N=first_N < moment,
    )


@dataclass(frozen=True)
class Ranking:
    """Which items are searched for, and among which."""

    name: str
    targets_N: NDArray[np.bool_]
    candidates_N: NDArray[np.bool_]
    with_seen: bool = False
    """Whether items of the user's history may be in the list and among the targets"""


def rankings(split: ColdSplit, *, seed: int, with_seen: bool) -> Sequence[Ranking]:
    """Every ranking that is measured; `with_seen` adds that of the warm items with the user's own ones."""
    cold, warm = split.cold_N, split.warm_N
    found = [
        Ranking("cold", cold, cold),
        Ranking("cold_among_all", cold, cold | warm),
        Ranking("warm", warm, warm),
        Ranking("warm_among_all", warm, cold | warm),
    ]
    drawn = np.random.default_rng(seed).permutation(np.flatnonzero(warm))[: int(cold.sum())]
    as_many = np.zeros_like(warm)
    as_many[drawn] = True
    found.append(Ranking("warm_as_many", as_many, as_many))
    return [*found, Ranking("warm_with_seen", warm, warm, with_seen=True)] if with_seen else found
