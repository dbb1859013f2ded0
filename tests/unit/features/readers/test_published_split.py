"""Separate train and test files: from the files to the split points, against sets made here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from configs.exceptions import ConfigError, DataError
from configs.load import load_config
from configs.schema import Config
from configs.settings.data import SplitConfig
from configs.settings.event_types import EventType
from features.dataset import Dataset
from features.ingest.tables import Tables
from features.prepare import prepare
from features.splits import SplitPoint, split_points, targets_between

MakeConfig = Callable[..., Config]
TRAIN = {"1": range(100, 125), "2": range(110, 118), "3": range(100, 101), "4": range(100, 110)}
TEST = {"1": range(200, 203), "2": range(100, 101), "3": range(200, 202)}
PURCHASES: dict[EventType, float] = {"purchase": 1.0}


def lines(sets: dict[str, range]) -> str:
    return "".join(f"{user} {' '.join(map(str, items))}\n" for user, items in sets.items())


@pytest.fixture
def given(tmp_path: Path, make_config: MakeConfig, now: datetime) -> Callable[[str, str], Dataset]:
    def run(train: str, test: str) -> Dataset:
        (tmp_path / "train.txt").write_text(train, encoding="utf-8")
        (tmp_path / "test.txt").write_text(test, encoding="utf-8")
        settings = (
            "data.clock=ordinal",
            "split.kind=given",
            "data.layout=line_a_user",
            "data.test_events=test.txt",
        )
        config = make_config(tmp_path / "train.txt", *settings, reader="session_text")
        prepare(config, now=now)
        return Dataset.open(config.workspace / "dataset")

    return run


def sets_of(dataset: Dataset, found: dict[int, np.ndarray]) -> dict[str, set[str]]:
    names = pl.read_parquet(dataset.folder / "items.parquet")["id"].to_list()
    user_ids = pl.read_parquet(dataset.folder / "users.parquet")["user_id"].to_list()
    return {user_ids[user]: {names[item] for item in row} for user, row in found.items()}


def past_sets(dataset: Dataset, point: SplitPoint) -> dict[str, set[str]]:
    return sets_of(dataset, {user: point.history(dataset, user).items for user in range(dataset.num_users)})


def test_test_items_are_as_given_and_a_tenth_of_the_train_items_validates(
    given: Callable[[str, str], Dataset],
) -> None:
    dataset = given(lines(TRAIN), lines(TEST))
    validation, test, full = split_points(dataset, SplitConfig(kind="given"))
    as_text = {user: set(map(str, items)) for user, items in TRAIN.items()}
    assert past_sets(dataset, test) == as_text
    assert sets_of(dataset, targets_between(dataset, test, full, targets=PURCHASES)) == {
        user: set(map(str, items)) for user, items in TEST.items()
    }
    held_back = sets_of(dataset, targets_between(dataset, validation, test, targets=PURCHASES))
    # 25 // 10, one of eight; a single item is a train item, and so are the items of users without a test item
    assert {user: len(items) for user, items in held_back.items()} == {"1": 2, "2": 1}
    for user, trained in past_sets(dataset, validation).items():
        assert trained | held_back.get(user, set()) == as_text[user]
        assert not trained & held_back.get(user, set())
    assert full.past(dataset).all()


def test_a_user_asks_after_all_of_their_past_and_before_what_is_to_come(
    given: Callable[[str, str], Dataset],
) -> None:
    dataset = given(lines(TRAIN), lines(TEST))
    for point in split_points(dataset, SplitConfig(kind="given")):
        for user in range(dataset.num_users):
            past = point.history(dataset, user)
            assert len(dataset.history(user).before(point.as_of_user(user))) == len(past)


def test_which_items_validate_is_random_and_always_the_same(given: Callable[[str, str], Dataset]) -> None:
    train, test = (
        {str(user): range(100, 140) for user in range(1, 6)},
        {str(user): range(200, 201) for user in range(1, 6)},
    )

    def held_back() -> dict[str, set[str]]:
        dataset = given(lines(train), lines(test))
        validation, tested, _ = split_points(dataset, SplitConfig(kind="given"))
        return sets_of(dataset, targets_between(dataset, validation, tested, targets=PURCHASES))

    first = held_back()
    assert first == held_back()
    assert len({frozenset(items) for items in first.values()}) == 5
    assert all(len(items) == 4 for items in first.values())


def test_bad_lines_of_either_file_are_rejected_with_their_place(given: Callable[[str, str], Dataset]) -> None:
    dataset = given(lines(TRAIN) + "5\n", lines(TEST) + "9 100\n1 x\n")
    rejected = (
        Tables.open(dataset.folder.parent / "tables")
        .rejected.select("file", "line", "reason")
        .collect()
        .rows()
    )
    assert sorted(rejected) == [
        ("test.txt", 4, "a test item of a user without train items"),
        ("test.txt", 5, "an id is not a whole number, as those of the other lines are"),
        ("train.txt", 5, "too few fields"),
    ]


def test_the_split_and_its_file_go_together(tmp_path: Path, make_config: MakeConfig, now: datetime) -> None:
    text = ["data.reader=session_text", "data.clock=ordinal", "data.events=train.txt"]
    for alone in (["split.kind=given"], ["split.kind=leave_one_out", "data.test_events=test.txt"]):
        with pytest.raises(ConfigError, match=r"split\.kind=given and data\.test_events go together"):
            load_config(overrides=[*text, *alone])
    with pytest.raises(ConfigError, match=r"movielens does not use data\.test_events"):
        load_config(overrides=["data.reader=movielens", "data.test_events=test.txt"])
    (tmp_path / "train.txt").write_text("1 2 3\n", encoding="utf-8")
    settings = ("data.clock=ordinal", "split.kind=given", "data.test_events=absent.txt")
    with pytest.raises(DataError, match=r"absent\.txt: no such file \(data\.test_events"):
        prepare(make_config(tmp_path / "train.txt", *settings, reader="session_text"), now=now)
