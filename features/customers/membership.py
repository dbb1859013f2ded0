"""Membership: points for money spent, levels that are reached at once and kept for a while.

Shapes: E money events (purchases and refunds), P people, L levels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.core.columns import MICROSECONDS_PER_DAY


@dataclass(frozen=True)
class Membership:
    """Of each person."""

    points: NDArray[np.float64]
    """(P,) that count now"""
    best_points: NDArray[np.float64]
    """(P,) the most that counted at any moment of the days of grace"""


def membership_points(
    people: NDArray[np.int64],
    times: NDArray[np.int64],
    points: NDArray[np.float64],
    *,
    num_people: int,
    as_of: int,
    window_days: float,
    grace_days: float,
) -> Membership:
    """What counts of the points (E,) that people (E,) got at times (E,), all before `as_of` (microseconds);
    negative ones take points away.

    The points of a moment are those of the `window_days` up to it, and at least 0. They rise only when points
    come, or when what took some away counts no more: the most within the grace is found at its beginning and
    at each of these moments.
    """
    window, grace = (int(days * MICROSECONDS_PER_DAY) for days in (window_days, grace_days))
    order = np.lexsort((times, people))
    people, times = people[order], times[order]
    totals = np.concatenate([[0.0], np.cumsum(points[order])])
    moments = np.unique(times)
    keys = people * (len(moments) + 1) + np.searchsorted(moments, times)

    def counting(who: NDArray[np.int64], when: NDArray[np.int64]) -> NDArray[np.float64]:
        """Points of people within the window that ends at, and includes, a time each."""
        first = who * (len(moments) + 1)
        until = np.searchsorted(keys, first + np.searchsorted(moments, when, side="right"))
        since = np.searchsorted(keys, first + np.searchsorted(moments, when - window, side="right"))
        counted: NDArray[np.float64] = np.maximum(totals[until] - totals[since], 0.0)
        return counted

    everyone = np.arange(num_people)
    now = counting(everyone, np.full(num_people, as_of - 1))
    best = np.maximum(now, counting(everyone, np.full(num_people, as_of - 1 - grace)))
    ends = points[order] < 0
    who, when = np.concatenate([people, people[ends]]), np.concatenate([times, times[ends] + window])
    recent = (when >= as_of - grace) & (when < as_of)
    np.maximum.at(best, who[recent], counting(who[recent], when[recent]))
    return Membership(points=now, best_points=best)


def level_names(points: NDArray[np.float64], levels: Mapping[str, float]) -> list[str | None]:
    """(P,) the highest level that each number of points reaches; None below all."""
    names: list[str | None] = [None, *sorted(levels, key=lambda name: levels[name])]
    bounds = np.sort(np.array(list(levels.values()), np.float64))
    return [names[place] for place in np.searchsorted(bounds, points + 1e-9, side="right").tolist()]


def points_to_next(points: NDArray[np.float64], levels: Mapping[str, float]) -> NDArray[np.float64]:
    """(P,) what the next level still takes; NaN at the highest."""
    bounds = np.sort(np.array(list(levels.values()), np.float64))
    place = np.searchsorted(bounds, points + 1e-9, side="right")
    following: NDArray[np.float64] = np.append(bounds, np.nan)[place] - points
    return following
