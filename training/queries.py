"""Requests as of a split point: they fit the ranker, measure the index and replay the pipeline."""

from __future__ import annotations

import numpy as np

from configs.schema import Config
from features.core.columns import EVENT_TYPE_CODE
from features.dataset import Dataset
from features.splits import SplitPoint
from features.user_keys import user_keys
from serving.recommend.request import Query

NUM_INDEX_QUERIES = 200


def query_at(dataset: Dataset, point: SplitPoint, user: int, *, num_results: int = 20) -> Query:
    """The user's request for the home page at the split point, or in the middle of their session after it,
    with all that the server would know of them."""
    history = point.history(dataset, user)
    attributes = np.asarray(dataset.user_attributes[user])
    return Query(
        history=history,
        as_of=point.as_of_user(user),
        exclude=point.begun_with(dataset, user),
        num_results=num_results,
        user_attributes=attributes,
        user=user_keys(dataset)[user],
    )


def index_queries(dataset: Dataset, point: SplitPoint, config: Config) -> list[Query]:
    """The requests of `NUM_INDEX_QUERIES` users, drawn by seed, whose history the encoder can read."""
    event_types = np.array([EVENT_TYPE_CODE[name] for name in config.history.input_event_types], np.int8)
    found: list[Query] = []
    for user in np.random.default_rng(config.training.seed).permutation(dataset.num_users):
        query = query_at(dataset, point, int(user))
        if len(query.history.before(query.as_of).of_event_types(event_types)):
            found.append(query)
        if len(found) == NUM_INDEX_QUERIES:
            break
    return found
