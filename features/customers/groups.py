"""Groups of customers who buy alike: k-means, named by what sets each apart, the same from run to run.

Shapes: P people, F numbers, K groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from features.customers.clusters import Codes, Matrix, best_number, fresh, nearest, settled
from features.customers.group_names import NamedGroup, named_groups
from features.customers.group_numbers import NUMBERS, Scale, group_numbers
from features.customers.profile_columns import USER

FIT_PEOPLE: Final = 50_000
"""Centroids are fitted on so many people at most, always the same ones."""

MIN_SHARE: Final = 0.02
"""Of the buyers, that the smallest group must have when the number of groups is chosen"""

_NUMBER_NAMES: Final = [one.name for one in NUMBERS]
GROUPS_SCHEMA: Final = {
    "group": pl.Int64,
    "group_name": pl.String,
    "apart": pl.String,
    "people": pl.Int64,
    **dict.fromkeys(_NUMBER_NAMES, pl.Float64),
}
"""One row a group: its number and name, what sets it apart in figures, its size, its centroid (null for a
number that told nobody apart)"""


@dataclass(frozen=True)
class LastGroups:
    """What the last run found."""

    table: pl.DataFrame
    """`GROUPS_SCHEMA`"""
    people: pl.DataFrame
    """USER and `group`"""


def no_groups() -> pl.DataFrame:
    """The table where there are too few people."""
    return pl.DataFrame(schema=GROUPS_SCHEMA)


def fit_groups(
    buyers: pl.DataFrame, *, num_groups: int | None, min_size: int, last: LastGroups | None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(USER and `group` of each of the buyers, the table of groups).

    k-means starts from the centroids of the last run, where it knew the same numbers; new clusters are
    matched with its groups by the people they share (the assignment that keeps most people in their group),
    and take over their numbers. With too few people both tables are empty.
    """
    nobody = pl.DataFrame(schema={USER: pl.String, "group": pl.Int64})
    if len(buyers) < 2 * min_size or len(buyers) < 2:
        return nobody, no_groups()
    numbers = group_numbers(buyers)
    scale = Scale.of(numbers)
    if not scale.names:
        return nobody, no_groups()
    data = scale.standardised(numbers)
    start = _last_centroids(last, scale, num_groups)
    centroids = _fitted(data, _same_people(buyers[USER]), start, num_groups=num_groups, min_size=min_size)
    centroids, codes = _without_small(data, centroids, min_size=min_size)
    if len(centroids) < 2:
        return nobody, no_groups()
    ids = _matched(buyers[USER], codes, last, num_clusters=len(centroids))
    named = named_groups(data, codes, ids, scale, last=None if last is None else last.table)
    people = pl.DataFrame({USER: buyers[USER], "group": ids[codes]})
    return people, _table(named, centroids, codes, scale)


def _same_people(users: pl.Series) -> NDArray[np.int64]:
    """The rows of at most `FIT_PEOPLE` users, chosen by their ids: the same ones in every run."""
    return np.sort(users.hash(seed=0).arg_sort().to_numpy()[:FIT_PEOPLE]).astype(np.int64)


def _last_centroids(last: LastGroups | None, scale: Scale, num_groups: int | None) -> Matrix | None:
    """(K, F) those of the last run, standardised anew; None where it knew other numbers, or another number
    of groups is set."""
    if last is None or last.table.is_empty() or (num_groups or len(last.table)) != len(last.table):
        return None
    known = [name for name in _NUMBER_NAMES if last.table[name].null_count() == 0]
    if known != list(scale.names):
        return None
    start: Matrix = (last.table.select(known).to_numpy() - scale.centres) / scale.widths
    return start


def _fitted(
    data: Matrix,
    rows: NDArray[np.int64],
    start: Matrix | None,
    *,
    num_groups: int | None,
    min_size: int,
) -> Matrix:
    chosen = data[rows]
    if start is not None:
        return settled(chosen, start)
    number = num_groups or best_number(chosen, smallest=max(min_size, int(MIN_SHARE * len(chosen))))
    return fresh(chosen, number)


def _without_small(data: Matrix, centroids: Matrix, *, min_size: int) -> tuple[Matrix, Codes]:
    """(the centroids, the code of each person): the people of a group that is too small go to the next."""
    codes = nearest(data, centroids)
    counts = np.bincount(codes, minlength=len(centroids))
    while len(centroids) > 1 and counts.min() < min_size:
        centroids = np.delete(centroids, int(counts.argmin()), axis=0)
        codes = nearest(data, centroids)
        counts = np.bincount(codes, minlength=len(centroids))
    return centroids, codes


def _matched(users: pl.Series, codes: Codes, last: LastGroups | None, *, num_clusters: int) -> Codes:
    """(K,) the number of each group: that of the group of the last run whose people it has, or a new one."""
    ids = np.zeros(num_clusters, np.int64)
    known = [] if last is None else last.table["group"].to_list()
    if last is not None and known:
        now = pl.DataFrame({USER: users, "_code": codes})
        both = now.join(last.people.drop_nulls(), on=USER)
        shared = np.zeros((num_clusters, len(known)))
        for code, group, count in both.group_by("_code", "group").len().iter_rows():
            if group in known:
                shared[code, known.index(group)] = count
        for code, place in zip(*linear_sum_assignment(-shared), strict=True):
            ids[code] = known[place] if shared[code, place] else 0
    following = max(known, default=0) + 1
    for code in np.flatnonzero(ids == 0):
        ids[code], following = following, following + 1
    return ids


def _table(named: list[NamedGroup], centroids: Matrix, codes: Codes, scale: Scale) -> pl.DataFrame:
    counts = np.bincount(codes, minlength=len(centroids))
    raw = scale.back(centroids)
    rows = [
        {
            "group": one.group,
            "group_name": one.name,
            "apart": one.apart,
            "people": int(counts[code]),
            **dict.fromkeys(_NUMBER_NAMES),
            **dict(zip(scale.names, raw[code].tolist(), strict=True)),
        }
        for code, one in enumerate(named)
    ]
    return pl.DataFrame(rows, schema=GROUPS_SCHEMA).sort("group")
