"""The benchmark of outcomes: its figures, and that its page is what the kept results say."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.outcome_figures import Candidates, reliability
from benchmarks.outcomes import of_one_label
from benchmarks.outcomes_page import PAGE, page_text
from models.ranker import RankerNetwork
from training.ranker.lists import RankedList


def test_the_page_is_made_from_the_results() -> None:
    assert PAGE.read_text(encoding="utf-8") == page_text()


def test_a_reliability_table_sets_what_was_said_beside_what_happened() -> None:
    network = RankerNetwork(num_features=1, hidden_dim=0, outcomes=("purchase",))
    network.calibrate([1.0], [0.0])
    network.linear.bias.data[1] = -np.log(4)  # one in five, whatever the features
    found = [
        Candidates(np.arange(10, dtype=np.int32), np.zeros((10, 1), np.float32), {"purchase": had})
        for had in (np.array([1, 2], np.int32), np.array([7, 99], np.int32))
    ]
    (row,) = reliability(network, found)["purchase"]
    assert (row["from"], row["to"], row["candidates"]) == (0.1, 0.3, 20)
    assert row["said"] == pytest.approx(0.2)
    assert row["happened"] == pytest.approx(3 / 20)


def test_a_ranker_of_one_outcome_learns_from_lists_that_have_it() -> None:
    relevant, clicked = np.array([True, False]), np.array([False, True])
    outcomes = np.stack([clicked, relevant], axis=1)
    lists = [
        RankedList(np.zeros((2, 1), np.float32), relevant, np.zeros(2, np.float32), outcomes=outcomes),
        RankedList(
            np.zeros((2, 1), np.float32),
            ~relevant & False,
            np.zeros(2, np.float32),
            outcomes=outcomes & clicked,
        ),
    ]
    of_score, _ = of_one_label((lists, []), None)
    assert [one.relevant.tolist() for one in of_score] == [[True, False]]
    of_clicks, _ = of_one_label((lists, []), 0)
    assert [one.relevant.tolist() for one in of_clicks] == [[False, True]]
