"""Replays the served pipeline at a split point, and every retriever alone, against what came after it.
Shapes: U users in the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from configs.console import progress
from configs.exceptions import TooLittleDataError
from configs.schema import Config
from features.core.columns import EVENT_TYPE_CODE
from features.dataset import Dataset
from features.histories import History, IntArray
from features.splits import SplitPoint, targets_between
from serving.recommend.pipeline import Pipeline, Ranked
from serving.recommend.request import Query
from training.evaluation.bands import POPULARITY_BANDS, item_bands
from training.evaluation.evaluation_record import EvaluationRecord
from training.evaluation.ranking_metrics import coverage, summarise, user_metrics
from training.evaluation.systems import MOST_BOUGHT, PIPELINE
from training.evaluation.user_figures import UserFigures
from training.queries import query_at

ALONE_DEPTH: Final = 1000
"""How many items a retriever alone gives, at most, before popular ones follow."""

PARTS = ("all", "repeat", "new")
"""all: every item bought in the window. repeat: list and truth are the user's own items alone. new: both
without them."""


@dataclass(frozen=True)
class Evaluation:
    """Per-user metrics of each system on each part, over the same users."""

    point: str
    as_of: int
    num_users_in_window: int
    users: Mapping[str, IntArray]
    """part → users with something relevant in it"""
    rows: Mapping[str, Mapping[str, list[dict[str, float]]]]
    """system → part → one row a user"""
    coverage: Mapping[str, Mapping[int, float]]
    """system → k → share of the items that may be shown which stand in some list of the part `all`"""
    relevant: Mapping[int, IntArray]
    """user → items of the window"""
    figures: UserFigures
    """The headline metric of every user, with what tells users and items apart"""
    times_shown: NDArray[np.int64]
    """(N,) how many users have the item in the first `headline_k` places of the pipeline's list"""

    def values(self, system: str, *, part: str, metric: str) -> NDArray[np.float64]:
        """One number a user."""
        return np.array([row[metric] for row in self.rows[system][part]])

    def summary(self, config: Config) -> EvaluationRecord:
        """Every system on every part with 95 % intervals, and counts."""
        samples, seed = config.evaluation.bootstrap_samples, config.evaluation.seed
        return EvaluationRecord(
            split_point=self.point,
            as_of=self.as_of,
            split=config.split.kind,
            users={part: len(users) for part, users in self.users.items()},
            users_in_window=self.num_users_in_window,
            systems={
                system: {part: summarise(rows, samples=samples, seed=seed) for part, rows in parts.items()}
                for system, parts in self.rows.items()
            },
            coverage={
                system: {str(k): share for k, share in shares.items()}
                for system, shares in self.coverage.items()
            },
        )


def replay(
    pipeline: Pipeline, dataset: Dataset, point: SplitPoint, later: SplitPoint, *, config: Config
) -> Evaluation:
    """Rank the whole catalogue for each user with a target between the split points. Raises
    TooLittleDataError when nobody has."""
    relevant = targets_between(dataset, point, later, targets=config.history.targets)
    users = np.array(sorted(relevant), np.int32)
    if not len(users):
        raise TooLittleDataError(
            f"Nobody has one of {', '.join(config.history.target_event_types)} after the {point.name} split "
            "point."
        )
    num_in_window = len(users)
    if num_in_window > config.evaluation.max_users:
        users = np.sort(
            np.random.default_rng(config.evaluation.seed).choice(
                users, config.evaluation.max_users, replace=False
            )
        )
    found = _Found(pipeline, config)
    with progress(f"replaying the pipeline at the {point.name} split point", total=len(users)) as work:
        for user in users:
            query = query_at(dataset, point, int(user), num_results=max(config.evaluation.cutoffs))
            replay = _Replay(pipeline, query, exclude_seen=config.evaluation.exclude_seen)
            found.add(int(user), replay, relevant[int(user)], history=query.history)
            work.advance()
    return Evaluation(
        point=point.name,
        as_of=point.as_of,
        num_users_in_window=num_in_window,
        users={part: np.array(members, np.int32) for part, members in found.members.items()},
        rows=found.rows,
        coverage=found.coverage(),
        relevant=relevant,
        figures=found.figures(),
        times_shown=found.times_shown(),
    )


class _Found:
    """What the replay of one user after another adds up to."""

    def __init__(self, pipeline: Pipeline, config: Config) -> None:
        self._systems = systems_of(pipeline)
        self._cutoffs, self._k = config.evaluation.cutoffs, config.evaluation.headline_k
        self._target_event_types = np.array(
            [EVENT_TYPE_CODE[kind] for kind in config.history.target_event_types], np.int8
        )
        self._bands_N = item_bands(np.asarray(pipeline.bundle.item_profiles.popularity_all))
        self._num_recommendable = int(pipeline.bundle.recommendable.sum())
        self.members: dict[str, list[int]] = {part: [] for part in PARTS}
        self.rows: dict[str, dict[str, list[dict[str, float]]]] = {
            name: {part: [] for part in PARTS} for name in self._systems
        }
        self._shown: dict[str, list[IntArray]] = {name: [] for name in self._systems}
        self._lengths: list[int] = []
        self._relevant: list[NDArray[np.int64]] = []
        self._hits: dict[str, list[NDArray[np.int64]]] = {name: [] for name in self._systems}

    def add(self, user: int, replay: _Replay, relevant: IntArray, *, history: History) -> None:
        """Every system's list for one user against what is relevant to them, part by part."""
        self._lengths.append(len(history.of_event_types(self._target_event_types)))
        self._relevant.append(self._by_band(relevant))
        for part in PARTS:
            truth = replay.part_of(relevant, part)
            if not len(truth):
                continue
            self.members[part].append(user)
            for name in self._systems:
                ranked = replay.ranked(name, part)
                self.rows[name][part].append(user_metrics(ranked, truth, cutoffs=self._cutoffs))
                if part == "all":
                    self._shown[name].append(ranked)
                    first = ranked[: self._k]
                    self._hits[name].append(self._by_band(first[np.isin(first, truth)]))

    def coverage(self) -> dict[str, dict[int, float]]:
        """system → k → share of the items that may be shown, those that never sold among them."""
        num_items = self._num_recommendable
        return {
            name: {k: coverage(lists, k=k, num_items=num_items) for k in self._cutoffs}
            for name, lists in self._shown.items()
        }

    def figures(self) -> UserFigures:
        """The headline metric user by user."""
        metric = f"capped_recall_{self._k}"
        return UserFigures(
            k=self._k,
            users={part: np.array(members, np.int32) for part, members in self.members.items()},
            values={
                name: {part: np.array([row[metric] for row in rows]) for part, rows in parts.items()}
                for name, parts in self.rows.items()
            },
            history_lengths=np.array(self._lengths, np.int64),
            relevant_UB=np.stack(self._relevant),
            hits_UB={name: np.stack(hits) for name, hits in self._hits.items()},
        )

    def times_shown(self) -> NDArray[np.int64]:
        """(N,) users who have the item in the first places of the pipeline's list."""
        shown = np.concatenate([ranked[: self._k] for ranked in self._shown[PIPELINE]])
        return np.bincount(shown, minlength=len(self._bands_N))

    def _by_band(self, items: IntArray) -> NDArray[np.int64]:
        return np.bincount(self._bands_N[items], minlength=len(POPULARITY_BANDS))


class _Replay:
    """One user's lists: the pipeline's as the home page would show it, and each retriever's alone."""

    def __init__(self, pipeline: Pipeline, query: Query, *, exclude_seen: bool) -> None:
        self._pipeline, self._query, self._depth = pipeline, query, query.num_results
        self._ranked: Ranked = pipeline.rank(query)
        own = self._ranked.profile.own.codes
        self._is_own = np.zeros(pipeline.bundle.num_items, bool)
        self._is_own[own] = True
        seen = np.unique(query.history.items) if exclude_seen else query.exclude
        self._excluded = {
            "all": seen,
            "new": np.concatenate([own, seen]),
            "repeat": np.concatenate([np.flatnonzero(~self._is_own).astype(np.int32), seen]),
        }
        can_be_shown = pipeline.bundle.recommendable.copy()
        can_be_shown[seen] = False
        self._alone = {
            name: items[can_be_shown[items]] for name, items in lists_alone(pipeline, self._ranked).items()
        }

    def part_of(self, items: IntArray, part: str) -> IntArray:
        """Those of `items` that belong to the part."""
        match part:
            case "repeat":
                return items[self._is_own[items]]
            case "new":
                return items[~self._is_own[items]]
            case _:
                return items

    def ranked(self, system: str, part: str) -> IntArray:
        """The first places of a system's list for the part."""
        if system == PIPELINE:
            query = replace(self._query, exclude=self._excluded[part])
            return self._pipeline.select(query, self._ranked).items
        return self.part_of(self._alone[system], part)[: self._depth]


def lists_alone(pipeline: Pipeline, ranked: Ranked) -> dict[str, IntArray]:
    """System → its list, best first, filled up with what is popular as a page would be."""
    own = ranked.profile.own
    lists = {name: _alone(pipeline, name, ranked) for name in _general(pipeline)}
    lists[MOST_BOUGHT] = own.codes[np.argsort(-own.counts, kind="stable")]
    popular = pipeline.most_popular(len(own) + ALONE_DEPTH)
    return {
        name: _filled(items, popular, num_items=pipeline.bundle.num_items) for name, items in lists.items()
    }


def _alone(pipeline: Pipeline, name: str, ranked: Ranked) -> IntArray:
    """What a retriever has for the user; where that is nothing, what it has for the items of the present
    session, as for a page that shows them."""
    for_user = pipeline.alone(name, ranked.user, count=ALONE_DEPTH)
    return for_user if len(for_user) else ranked.retrievals[name].for_page.best(ALONE_DEPTH)


def _filled(items: IntArray, popular: IntArray, *, num_items: int) -> IntArray:
    stands = np.zeros(num_items, bool)
    stands[items] = True
    return np.concatenate([items, popular[~stands[popular]]])


def systems_of(pipeline: Pipeline) -> tuple[str, ...]:
    """Everything that a table compares, over the same users: the pipeline, each retriever alone, and the
    user's most bought items."""
    return (PIPELINE, MOST_BOUGHT, *_general(pipeline))


def _general(pipeline: Pipeline) -> list[str]:
    """The retrievers that answer what the evaluation asks: what will this user have next."""
    return [name for name, one in pipeline.bundle.retrievers.items() if one.is_general and one.is_baseline]
