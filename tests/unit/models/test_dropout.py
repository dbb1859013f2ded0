"""Dropout by cheap draws has the distribution of torch's."""

from __future__ import annotations

import pytest
import torch

from models.dropout import Dropout


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_the_dropout_probability_holds_and_the_mean_is_kept(probability: float) -> None:
    torch.manual_seed(0)
    values = torch.full((500, 801), 3.0)  # not a multiple of the four values of a draw
    found = Dropout(probability)(values)
    assert (found == 0).float().mean() == pytest.approx(probability, abs=0.005)
    assert found[found != 0].unique().item() == pytest.approx(3 / (1 - probability), rel=1e-3)
    assert found.mean() == pytest.approx(3.0, rel=0.02)


def test_neighbours_are_dropped_apart() -> None:
    """One draw decides about four values: each by bits of its own."""
    torch.manual_seed(0)
    kept = Dropout(0.5)(torch.ones(400_000)).view(-1, 4) > 0
    together = (kept.float().T @ kept.float()) / len(kept)
    expected = torch.full((4, 4), 0.25).fill_diagonal_(0.5)
    torch.testing.assert_close(together, expected, atol=0.01, rtol=0)


def test_the_gradient_goes_where_the_values_went() -> None:
    torch.manual_seed(0)
    values = torch.rand(40, 7) + 1
    values.requires_grad_()
    found = Dropout(0.3)(values)
    found.sum().backward()
    torch.testing.assert_close(values.grad, (found / values).detach())


def test_a_seed_gives_the_same_and_another_does_not() -> None:
    def drawn(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        values: torch.Tensor = Dropout(0.5)(torch.ones(100))
        return values

    assert torch.equal(drawn(1), drawn(1))
    assert not torch.equal(drawn(1), drawn(2))


def test_a_probability_near_1_does_not_divide_by_zero() -> None:
    assert torch.isfinite(Dropout(0.999999)(torch.ones(1000))).all()


def test_it_is_the_identity_in_evaluation_and_with_probability_0() -> None:
    values = torch.rand(9)
    assert Dropout(0.5).eval()(values) is values
    assert Dropout(0.0)(values) is values
