"""What people would have asked as of a cut: the queries that fit the ranker, measure the index and replay the pipeline."""

from __future__ import annotations

import numpy as np

from configs.schema import Config
from features.core.columns import KIND
from features.dataset import Dataset
from features.splits import Cut
from serving.recommend.request import Query

NUM_INDEX_QUERIES = 200


def query_at(dataset: Dataset, cut: Cut, user: int, *, num_results: int = 20) -> Query:
    """The user's request for the home page at the cut, with all that the server would know of them."""
    history = cut.history(dataset, user)
    attributes = np.asarray(dataset.user_attributes[user])
    return Query(history=history, as_of=cut.moment(user), num_results=num_results, user_attributes=attributes)


def index_queries(dataset: Dataset, cut: Cut, config: Config) -> list[Query]:
    """`NUM_INDEX_QUERIES` people, drawn by seed, of those whose history the encoder can read."""
    kinds = np.array([KIND[kind] for kind in config.history.input_kinds], np.int8)
    found: list[Query] = []
    for user in np.random.default_rng(config.training.seed).permutation(dataset.num_users):
        query = query_at(dataset, cut, int(user))
        if len(query.history.before(query.as_of).of_kinds(kinds)):
            found.append(query)
        if len(found) == NUM_INDEX_QUERIES:
            break
    return found
