"""Sessions judged by their own beginnings: the same requests for the replay, the ranker's lists and the
encoder's validation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from configs.schema import Config
from configs.settings.data import SplitConfig
from features.dataset import Dataset
from features.sessions import session_numbers
from features.splits import split_points, targets_between
from serving.recommend.pipeline import Pipeline
from training.encoder.validation import validation_rows
from training.evaluation.replay import Evaluation, replay
from training.evaluation.systems import PIPELINE
from training.queries import query_at
from training.ranker.lists import ranked_lists

SESSIONS = SplitConfig(kind="session", window_days=14)


def with_split(config: Config, split: SplitConfig) -> Config:
    """And with few users, to be quick."""
    few = config.evaluation.model_copy(update={"max_users": 60})
    return config.model_copy(update={"split": split, "evaluation": few})


@pytest.fixture(scope="module")
def visitors(shop_dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The small shop as if nobody had an account: each session is another visitor."""
    folder: Path = tmp_path_factory.mktemp("visitors")
    users, events = shop_dataset.events_where(np.ones(len(shop_dataset.items), bool))
    starts = np.flatnonzero(np.diff(session_numbers(users, events), prepend=-1))
    pl.DataFrame({"user_id": [f"visitor:{number}" for number in range(len(starts))]}).write_parquet(
        folder / "users.parquet"
    )
    np.save(folder / "user_attribute.npy", np.zeros((len(starts), 0), np.int32))
    return replace(shop_dataset, folder=folder, offsets=np.append(starts, len(users)))


def replayed(pipeline: Pipeline, dataset: Dataset, config: Config) -> Evaluation:
    _, test, full = split_points(dataset, config.split)
    return replay(pipeline, dataset, test, full, config=config)


def test_strangers_get_one_list_at_a_cut_and_lists_of_their_own_in_a_session(
    shop_config: Config, tiny_pipeline: Pipeline, visitors: Dataset
) -> None:
    at_a_cut = replayed(tiny_pipeline, visitors, with_split(shop_config, shop_config.split))
    recalls = [at_a_cut.values(system, part="all", metric="recall_20") for system in at_a_cut.rows]
    assert all(np.array_equal(recalls[0], other) for other in recalls), "nothing can be compared"

    in_sessions = replayed(tiny_pipeline, visitors, with_split(shop_config, SESSIONS))
    recall = {
        system: in_sessions.values(system, part="all", metric="recall_5").mean()
        for system in in_sessions.rows
    }
    assert recall["co_occurrence"] > recall["popularity"], "items stand in pairs, and half of one was seen"
    assert recall[PIPELINE] != recall["popularity"]


def test_a_request_knows_the_beginning_and_its_items_stand_in_no_list(
    shop_config: Config, tiny_pipeline: Pipeline, shop_dataset: Dataset
) -> None:
    _, test, full = split_points(shop_dataset, SESSIONS)
    relevant = targets_between(shop_dataset, test, full, targets=shop_config.history.targets)
    assert len(relevant) > 50
    rows = validation_rows(shop_dataset, test, relevant, config=shop_config)
    assert [row.user for row in rows] == sorted(relevant)
    for row in rows:
        query = query_at(shop_dataset, test, row.user)
        assert query.history.times.max() < query.as_of
        assert test.as_of < query.as_of < full.as_of
        assert row.inputs.items[-1] == query.history.items[-1] in query.exclude
        assert set(row.excluded.tolist()) == set(query.exclude.tolist())
        assert not set(query.exclude.tolist()) & set(relevant[row.user].tolist())
        shown = [one.item for one in tiny_pipeline.recommend(query).recommendations]
        assert not set(query.exclude.tolist()) & set(shown)


def test_no_system_shows_what_the_session_began_with(
    shop_config: Config, tiny_pipeline: Pipeline, shop_dataset: Dataset
) -> None:
    """Where everything but the beginnings is excluded by hand, recall is whole with as few places."""
    evaluation = replayed(tiny_pipeline, shop_dataset, with_split(shop_config, SESSIONS))
    num_items = int(tiny_pipeline.bundle.recommendable.sum())
    assert num_items < 100, "lists of 100 places hold all that may be shown"
    _, test, _ = split_points(shop_dataset, SESSIONS)
    may_be_shown = tiny_pipeline.bundle.recommendable
    for user, row in zip(evaluation.users["all"], evaluation.rows["popularity"]["all"], strict=True):
        wanted = evaluation.relevant[int(user)]
        assert row["recall_100"] == pytest.approx(may_be_shown[wanted].mean())
        assert not np.isin(test.begun_with(shop_dataset, int(user)), wanted).any()


def test_the_ranker_learns_from_the_same_requests(
    shop_config: Config, tiny_pipeline: Pipeline, shop_dataset: Dataset
) -> None:
    config = with_split(shop_config, SESSIONS)
    _, test, full = split_points(shop_dataset, SESSIONS)
    relevant = targets_between(shop_dataset, test, full, targets=config.history.targets)
    lists = list(ranked_lists(tiny_pipeline, shop_dataset, test, full, config=config, num_negatives=None))
    begins, ends = test.to_predict(full)
    users = np.flatnonzero(ends > begins)
    assert len(users) == len(lists)
    sizes = []
    for user, of_user in zip(users.tolist(), lists, strict=True):
        query = query_at(shop_dataset, test, user)
        items = tiny_pipeline.candidates(query)[0].items
        left = items[~np.isin(items, query.exclude)]
        hits = np.isin(left, relevant.get(user, []))
        if hits.any():
            sizes.append(len(left))
            assert of_user[0].relevant.tolist() == hits.tolist()
    assert len(sizes) > 30
