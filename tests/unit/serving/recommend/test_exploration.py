"""Exploration: the probabilities are those that are said."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from serving.recommend.exploration import Explorer, exploration_weights, seed_of, with_new_share

WEIGHTS = exploration_weights(np.array([0, 3, 8, 99, 0]))
ALLOWED = np.array([True, True, True, True, False])


def test_what_is_new_is_drawn_more_often() -> None:
    assert WEIGHTS.tolist() == pytest.approx([1, 1 / 2, 1 / 3, 1 / 10, 1])


def test_items_are_drawn_as_often_as_their_propensities_say() -> None:
    times, said = Counter[int](), dict[int, float]()
    draws = 20_000
    for seed in range(draws):
        ((item, chance),) = Explorer(WEIGHTS, allowed=ALLOWED, seed=seed, depth=4).draw(1)
        times[item] += 1
        said[item] = chance
    assert set(said) == {0, 1, 2, 3}, "only what is allowed"
    assert sum(said.values()) == pytest.approx(1)
    for item, chance in said.items():
        assert times[item] / draws == pytest.approx(chance, abs=4 * np.sqrt(chance / draws))


def test_after_what_left_the_pool_the_rest_share_its_probability() -> None:
    """Item 0 is on the list: the second draw of those left has the probabilities of three, then of two."""
    times, draws = Counter[tuple[int, int]](), 20_000
    for seed in range(draws):
        explorer = Explorer(WEIGHTS, allowed=ALLOWED, seed=seed, depth=4)
        explorer.leave([0])
        (first, chance), (second, then) = explorer.draw(2)
        times[first, second] += 1
        left = [item for item in (1, 2, 3) if item != first]
        assert chance == pytest.approx(WEIGHTS[first] / WEIGHTS[1:4].sum())
        assert then == pytest.approx(WEIGHTS[second] / WEIGHTS[left].sum())
    expected = WEIGHTS[1] / WEIGHTS[1:4].sum() * WEIGHTS[2] / WEIGHTS[[2, 3]].sum()
    assert times[1, 2] / draws == pytest.approx(expected, abs=0.015)


def test_an_estimate_by_inverse_propensity_is_unbiased() -> None:
    """What an engineer does with the log: the mean reward of a uniform policy from draws of this one."""
    rewards = np.array([0.1, 0.9, 0.4, 0.6, 0.0])
    estimates = []
    for seed in range(20_000):
        ((item, chance),) = Explorer(WEIGHTS, allowed=ALLOWED, seed=seed, depth=4).draw(1)
        estimates.append(rewards[item] / chance / 4)
    assert np.mean(estimates) == pytest.approx(rewards[:4].mean(), abs=0.02)


def test_the_same_seed_draws_the_same_and_never_more_than_there_is() -> None:
    one, same, other = (Explorer(WEIGHTS, allowed=ALLOWED, seed=seed, depth=4).draw(9) for seed in (7, 7, 8))
    assert one == same
    assert len(one) == len(other) == 4
    assert one[-1][1] == pytest.approx(1), "the last of the pool"
    assert seed_of("00000000000000ff" + "0" * 16) == 255


NEW = np.array([False, False, True, True, True])


def test_new_arrivals_are_drawn_with_the_probability_that_is_reserved_for_them() -> None:
    """The propensities stay those with which items are drawn; what may not be drawn reserves nothing."""
    weights = with_new_share(WEIGHTS, is_new=NEW, allowed=ALLOWED, share=0.8)
    times, said, draws = Counter[int](), dict[int, float](), 8_000
    for seed in range(draws):
        ((item, chance),) = Explorer(weights, allowed=ALLOWED, seed=seed, depth=4).draw(1)
        times[item] += 1
        said[item] = chance
    assert said[2] + said[3] == pytest.approx(0.8)
    assert said[2] / said[3] == pytest.approx(WEIGHTS[2] / WEIGHTS[3]), "among themselves as ever"
    for item, chance in said.items():
        assert times[item] / draws == pytest.approx(chance, abs=4 * np.sqrt(chance / draws))


@pytest.mark.parametrize(("is_new", "share"), [(NEW, 0.0), (np.zeros(5, bool), 0.8), (np.ones(5, bool), 0.8)])
def test_where_there_is_nothing_to_reserve_all_are_drawn_as_ever(
    is_new: NDArray[np.bool_], share: float
) -> None:
    np.testing.assert_array_equal(
        with_new_share(WEIGHTS, is_new=is_new, allowed=ALLOWED, share=share), WEIGHTS
    )
