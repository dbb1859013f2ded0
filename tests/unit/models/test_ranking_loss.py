from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.ranking_loss import capped_listwise_softmax

rows_of_lists = st.lists(
    st.lists(st.tuples(st.floats(-5, 5), st.booleans()), min_size=1, max_size=6).filter(
        lambda one: any(hit for _, hit in one)
    ),
    min_size=1,
    max_size=4,
)


def loss_of(
    rows: list[list[tuple[float, bool]]],
    *,
    places: int,
    log_weights: list[float] | None = None,
    weights: list[float] | None = None,
) -> float:
    flat = [candidate for row in rows for candidate in row]
    lists = [number for number, row in enumerate(rows) for _ in row]
    return float(
        capped_listwise_softmax(
            torch.tensor([score for score, _ in flat]),
            torch.tensor([float(hit) for _, hit in flat]),
            torch.tensor(lists),
            list_weight_G=torch.ones(len(rows)) if weights is None else torch.tensor(weights),
            places=places,
            log_weight_C=torch.tensor(log_weights or [0.0] * len(flat)),
        )
    )


@given(rows_of_lists, st.integers(1, 4))
def test_each_relevant_candidate_counts_one_over_the_places_it_could_fill(
    rows: list[list[tuple[float, bool]]], places: int
) -> None:
    expected = 0.0
    for row in rows:
        log_sum = math.log(sum(math.exp(score) for score, _ in row))
        hits = [score for score, hit in row if hit]
        expected += sum(log_sum - score for score in hits) / min(len(hits), places) / len(rows)
    assert loss_of(rows, places=places) == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_a_candidate_that_stands_for_three_counts_as_three_in_the_sum() -> None:
    whole = [[(1.0, True), (0.5, False), (0.5, False), (0.5, False)]]
    assert loss_of([[(1.0, True), (0.5, False)]], places=20, log_weights=[0.0, math.log(3)]) == pytest.approx(
        loss_of(whole, places=20), rel=1e-5
    )


def test_a_list_counts_by_its_weight() -> None:
    easy, hard = [(3.0, True), (0.0, False)], [(0.0, True), (3.0, False)]
    found = loss_of([easy, hard], places=20, weights=[3.0, 1.0])
    assert found == pytest.approx((3 * loss_of([easy], places=20) + loss_of([hard], places=20)) / 4, rel=1e-5)
