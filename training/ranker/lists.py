"""The ranker's training lists: the candidates that the server would have had at a split point, labelled by
what the users did after it.

What is asked, and what is relevant: `list_questions`. With outcomes, each candidate has a label for each,
and lists in which nothing is relevant are kept: a probability is of all of them. Shapes: C candidates of a
list, F features, K outcomes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from configs.console import progress
from configs.schema import Config
from configs.settings.event_types import EventType
from configs.settings.outcomes import OUTCOME_EVENT_TYPES, Outcome
from features.dataset import Dataset
from features.histories import History, IntArray
from features.splits import SplitPoint
from features.target_weights import target_weights
from serving.recommend.candidates import Candidates
from serving.recommend.pipeline import Pipeline
from training.queries import query_at
from training.ranker.list_questions import ListQuestion, questions_of_user

NUM_NEGATIVES = 200
"""Candidates of a list that are not relevant and are kept, drawn evenly: a thousand teach no more
(docs/experiments.md)."""


@dataclass(frozen=True)
class RankedList:
    """One training list."""

    features: NDArray[np.float32]
    """(C, F)"""
    relevant: NDArray[np.bool_]
    """(C,), at least one True where there are no outcomes"""
    log_weight: NDArray[np.float32]
    """(C,) logarithm of how many candidates each stands for"""
    weight: float = 1.0
    """How much the list counts among others"""
    outcomes: NDArray[np.bool_] | None = None
    """(C, K) whether the user had each outcome with each candidate"""

    @property
    def is_told_apart(self) -> NDArray[np.bool_]:
        """(C,) candidates with any label, which thinning keeps."""
        return self.relevant if self.outcomes is None else self.relevant | self.outcomes.any(axis=1)


def ranked_lists(
    pipeline: Pipeline,
    dataset: Dataset,
    earlier: SplitPoint,
    later: SplitPoint,
    *,
    config: Config,
    num_negatives: int | None = NUM_NEGATIVES,
    outcomes: Sequence[Outcome] = (),
) -> Iterator[list[RankedList]]:
    """The lists of each user with events between the split points, of `ranker.max_users` drawn by seed; the
    pipeline is of the earlier split point.

    `num_negatives` None keeps every candidate. `outcomes` are those of which there are labels.
    """
    generator = np.random.default_rng(config.ranker.seed)
    starts, ends = earlier.to_predict(later)
    users = np.flatnonzero(ends > starts)
    if len(users) > config.ranker.max_users:
        users = generator.choice(users, config.ranker.max_users, replace=False)
    with progress("lists for the ranker", total=len(users)) as work:
        for user in users:
            whole = dataset.history(int(user))
            first, last = int(starts[user] - dataset.offsets[user]), int(ends[user] - dataset.offsets[user])
            window = whole.take(slice(first, last))
            query = query_at(dataset, earlier, int(user))
            window_of = _Window(window, query.exclude)
            future = window_of.having(config.history.targets)
            of_outcomes = [
                window_of.having(dict.fromkeys(OUTCOME_EVENT_TYPES[name], 1.0)) for name in outcomes
            ]
            questions = questions_of_user(
                query, future, of_outcomes, surfaces=pipeline.bundle.surfaces, generator=generator
            )
            lists = _lists(pipeline, questions)
            yield [one if num_negatives is None else _thinned(one, num_negatives, generator) for one in lists]
            work.advance()


@dataclass(frozen=True)
class _Window:
    """What a user did between the split points, and items that do not count."""

    events: History
    exclude: IntArray

    def having(self, targets: Mapping[EventType, float]) -> History:
        """The events of some types that nothing in the window took back."""
        found = self.events.take(target_weights(None, self.events, targets) > 0)
        return found.take(~np.isin(found.items, self.exclude))


def _lists(pipeline: Pipeline, questions: Sequence[ListQuestion]) -> list[RankedList]:
    """Those lists in which there is something to learn, of one user."""
    known, lists = None, []
    for question in questions:
        candidates, known = pipeline.candidates(question.query, known=known)
        lists.append(_list(candidates, question))
    return [one for one in lists if one is not None]


def _list(candidates: Candidates, question: ListQuestion) -> RankedList | None:
    query = question.query
    away = np.isin(candidates.items, np.concatenate([query.page_items, query.exclude]))
    is_relevant = np.isin(candidates.items, question.relevant) & ~away
    if away.all() or not (question.outcomes or is_relevant.any()):
        return None
    labels = [np.isin(candidates.items[~away], items) for items in question.outcomes]
    return RankedList(
        candidates.features[~away],
        is_relevant[~away],
        np.zeros(np.count_nonzero(~away), np.float32),
        question.weight,
        np.stack(labels, axis=1) if labels else None,
    )


def _thinned(one: RankedList, num_negatives: int, generator: np.random.Generator) -> RankedList:
    """All that has a label, and `num_negatives` of the others, which then stand for all of them."""
    negatives = np.flatnonzero(~one.is_told_apart)
    if len(negatives) <= num_negatives:
        return one
    drawn = generator.choice(negatives, num_negatives, replace=False)
    kept = np.sort(np.concatenate([np.flatnonzero(one.is_told_apart), drawn]))
    weight = np.float32(np.log(len(negatives) / num_negatives))
    return replace(
        one,
        features=one.features[kept],
        relevant=one.relevant[kept],
        log_weight=np.where(one.is_told_apart[kept], np.float32(0), weight),
        outcomes=None if one.outcomes is None else one.outcomes[kept],
    )
