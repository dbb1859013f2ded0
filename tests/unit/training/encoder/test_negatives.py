from __future__ import annotations

import pytest
import torch

from training.encoder.negatives import NegativeSampler

TARGETS = torch.tensor([1] * 12 + [2] * 5 + [4] * 2 + [7])
KNOWN = [1, 2, 4, 7]


@pytest.mark.parametrize("popularity_sampling_ratio", [0.0, 0.5, 1.0])
def test_the_logarithm_is_that_of_the_share_of_draws_an_item_is_in(popularity_sampling_ratio: float) -> None:
    sampler = NegativeSampler(
        TARGETS, num_items=9, num_negatives=4, popularity_sampling_ratio=popularity_sampling_ratio
    )
    generator = torch.Generator().manual_seed(0)
    times_drawn, chance = torch.zeros(9), torch.full((9,), torch.nan)
    for _ in range(4000):
        negatives, log_expected = sampler.draw(generator)
        times_drawn[negatives] += 1
        chance[negatives] = log_expected.exp()
    for item in KNOWN:
        assert float(times_drawn[item]) / 4000 == pytest.approx(float(chance[item]), abs=0.03)
    assert times_drawn[[0, 3, 5, 6, 8]].sum() == 0, "an item without a target is never a negative"


def test_the_batch_as_negatives_knows_how_often_each_item_is_among_its_targets() -> None:
    sampler = NegativeSampler(TARGETS, num_items=9, num_negatives=1, popularity_sampling_ratio=0.0)
    generator = torch.Generator().manual_seed(0)
    times_there, chance = torch.zeros(9), torch.full((9,), torch.nan)
    for _ in range(4000):
        batch = TARGETS[torch.randint(len(TARGETS), (3,), generator=generator)]
        negatives, log_expected = sampler.in_batch(batch)
        assert negatives.tolist() == sorted(set(batch.tolist()))
        times_there[negatives] += 1
        chance[negatives] = log_expected.exp()
    for item in KNOWN:
        assert float(times_there[item]) / 4000 == pytest.approx(float(chance[item]), abs=0.03)


def test_draws_are_distinct_ascending_and_repeat_with_the_seed() -> None:
    sampler = NegativeSampler(TARGETS, num_items=9, num_negatives=50, popularity_sampling_ratio=0.5)
    negatives, log_expected = sampler.draw(torch.Generator().manual_seed(1))
    assert negatives.tolist() == KNOWN
    assert torch.isfinite(log_expected).all()
    again, _ = sampler.draw(torch.Generator().manual_seed(1))
    assert torch.equal(again, negatives)


def test_a_shop_of_one_item_has_finite_corrections() -> None:
    sampler = NegativeSampler(
        torch.tensor([3, 3]), num_items=5, num_negatives=4, popularity_sampling_ratio=0.5
    )
    negatives, log_expected = sampler.draw(torch.Generator().manual_seed(1))
    assert negatives.tolist() == [3]
    assert log_expected.tolist() == pytest.approx([0.0], abs=1e-6)
