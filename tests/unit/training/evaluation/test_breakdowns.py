"""Parts of the table against sums by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from configs.settings.lifecycle import EvaluationConfig
from training.evaluation.breakdowns import breakdowns, over_retrievers, over_run
from training.evaluation.user_figures import UserFigures

CONFIG = EvaluationConfig(bootstrap_samples=200)


def figures() -> UserFigures:
    """Four users: two with short histories, two with long ones. Bands: head, middle, tail, never sold
    before."""
    relevant = np.array([[2, 0, 0, 0], [1, 1, 0, 0], [0, 0, 30, 0], [0, 0, 1, 1]])
    pipeline_hits = np.array([[1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 20, 0], [0, 0, 1, 0]])
    new = np.array([1, 3], np.int32)
    return UserFigures(
        k=20,
        users={"all": np.arange(4, dtype=np.int32), "repeat": np.arange(2, dtype=np.int32), "new": new},
        values={
            "pipeline": {
                "all": np.array([0.5, 0.5, 1.0, 0.5]),
                "repeat": np.array([1.0, 0.5]),
                "new": np.array([0.0, 0.5]),
            },
            "popularity": {
                "all": np.array([0.25, 0.25, 0.25, 0.25]),
                "repeat": np.zeros(2),
                "new": np.zeros(2),
            },
        },
        history_lengths=np.array([1, 2, 30, 40]),
        relevant_UB=relevant,
        hits_UB={"pipeline": pipeline_hits, "popularity": np.zeros_like(relevant)},
    )


def test_every_part_has_the_mean_of_its_users() -> None:
    found = {(row.by, row.name): row for row in breakdowns(figures(), CONFIG)}
    means = {part: (row.num_users, row.systems["pipeline"][0]) for part, row in found.items()}
    assert means == {
        ("all", "all users"): (4, 0.625),
        ("history", "1"): (1, 0.5),
        ("history", "2"): (1, 0.5),
        ("history", "3 to 30"): (1, 1.0),
        ("history", "31 to 40"): (1, 0.5),
        ("popularity", "head"): (2, 0.75),
        ("popularity", "middle"): (1, 0.0),
        ("popularity", "tail"): (2, 1.0),  # 20 hits are all that 20 places can hold
        ("popularity", "never sold before"): (1, 0.0),
        ("repeat / new", "repeat items"): (2, 0.75),
        ("repeat / new", "new items"): (2, 0.25),
    }
    for row in found.values():
        for mean, low, high in row.systems.values():
            assert low <= mean <= high


def test_the_margin_over_a_source_is_paired() -> None:
    (over,) = over_retrievers(figures(), CONFIG)
    assert (over.over, over.num_users, over.mean) == ("popularity", 4, 0.375)
    assert over.low >= 0.25  # the smallest difference of any user
    assert over.verdict == "better"


def test_a_run_against_itself_differs_nowhere_and_against_a_worse_one_everywhere_the_users_are_the_same() -> (
    None
):
    ours = figures()
    assert {(row.mean, row.verdict) for row in over_run(ours, ours, name="it", config=CONFIG)} == {
        (0.0, "no clear difference")
    }
    worse = replace(
        ours,
        values={**ours.values, "pipeline": ours.values["popularity"]},
        users={**ours.users, "new": np.array([0, 1])},
    )
    found = {(row.by, row.name): row for row in over_run(ours, worse, name="it", config=CONFIG)}
    assert found["all", "all users"].mean == pytest.approx(0.375)
    assert ("repeat / new", "repeat items") in found
    assert ("repeat / new", "new items") not in found, "other users have new items there"


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    ours = figures()
    ours.save(tmp_path)
    found = UserFigures.find(tmp_path)
    assert found is not None
    assert breakdowns(found, CONFIG) == breakdowns(ours, CONFIG)
    np.savez(
        tmp_path / "evaluation_users.npz", users=ours.users["all"], pipeline=ours.values["pipeline"]["all"]
    )
    assert UserFigures.find(tmp_path) is None, "what another version wrote"
