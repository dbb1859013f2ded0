"""Ranks counted for many users at once, against sorted lists."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training.encoder.target_ranks import NOWHERE, metrics_of_ranks, target_ranks
from training.evaluation.ranking_metrics import user_metrics

CUTOFFS = (1, 3, 5)


def plain_list(scores: list[float], relevant: list[int]) -> list[int]:
    """The ranking of one user with pessimistic ties: targets last. Items with the score -inf are left out."""
    shown = [item for item in range(len(scores)) if scores[item] > -np.inf]
    return sorted(shown, key=lambda item: (-scores[item], item in relevant, item))


@given(st.data(), st.integers(1, 6), st.integers(1, 12), st.booleans())
@settings(max_examples=200, deadline=None)
def test_places_and_metrics_are_those_of_the_plain_lists(
    data: st.DataObject, num_users: int, num_items: int, one_target: bool
) -> None:
    few = st.sampled_from([-torch.inf, -1.0, 0.0, 0.5, 1.0])  # few values, so that many are equal
    scores = data.draw(
        st.lists(
            st.lists(few, min_size=num_items, max_size=num_items), min_size=num_users, max_size=num_users
        )
    )
    items = st.lists(st.integers(0, num_items - 1), min_size=1, max_size=1 if one_target else 5, unique=True)
    relevant = [data.draw(items) for _ in range(num_users)]
    row_P = torch.tensor([row for row, targets in enumerate(relevant) for _ in targets])
    item_P = torch.tensor([item for targets in relevant for item in targets])
    rank_P = target_ranks(torch.tensor(scores), row_P, item_P, depth=max(CUTOFFS))
    found = metrics_of_ranks(rank_P, row_P, num_rows=num_users, cutoffs=CUTOFFS)
    for row, targets in enumerate(relevant):
        ranked = np.array(plain_list(scores[row], targets), np.int32)
        expected = user_metrics(ranked, np.array(targets, np.int32), cutoffs=CUTOFFS)
        assert {name: float(values[row]) for name, values in found.items()} == pytest.approx(expected)


def test_a_single_target_has_its_exact_place_however_deep() -> None:
    scores = torch.tensor([[5.0, 4.0, 3.0, 2.0, 2.0], [0.0, 1.0, 1.0, 1.0, 0.5]])
    assert target_ranks(scores, torch.tensor([0, 1]), torch.tensor([3, 1]), depth=1).tolist() == [4, 2]


def test_what_cannot_be_shown_is_nowhere_even_where_everything_fits_into_the_list() -> None:
    scores = torch.tensor([[-torch.inf, 1.0]])
    rank = target_ranks(scores, torch.tensor([0]), torch.tensor([0]), depth=20)
    assert rank.tolist() == [NOWHERE]
    assert metrics_of_ranks(rank, torch.tensor([0]), num_rows=1, cutoffs=(20,))["recall_20"].tolist() == [0.0]


@pytest.mark.parametrize("targets", [[1], [1, 2]])
def test_scores_that_are_no_numbers_never_make_a_hit(targets: list[int]) -> None:
    row = torch.zeros(len(targets), dtype=torch.int64)
    nowhere = target_ranks(torch.full((1, 4), torch.nan), row, torch.tensor(targets), depth=1)
    behind = target_ranks(torch.tensor([[torch.nan, 1.0, 1.0, 0.0]]), row, torch.tensor(targets), depth=1)
    assert (nowhere == NOWHERE).all()
    assert (behind >= 1).all()
