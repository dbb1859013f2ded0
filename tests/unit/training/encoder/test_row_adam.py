"""Lazy Adam against a plain loop over rows, torch's SparseAdam, and dense AdamW where every row is used."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from training.encoder.optimizer import clip_gradients
from training.encoder.row_adam import RowAdamW

BETAS = (0.9, 0.98)
RATE = 0.05
NUM_ROWS, DIM = 40, 16
DEVICES = ["cpu", "cuda"]


def on(device: str) -> torch.device:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("this machine has no CUDA GPU")
    return torch.device(device)


def table(*, sparse: bool, device: torch.device) -> nn.Embedding:
    torch.manual_seed(0)
    return nn.Embedding(NUM_ROWS, DIM, sparse=sparse).to(device)


def optimizer_for(rows: nn.Module, *, weight_decay: float = 0.0) -> RowAdamW:
    return RowAdamW([{"params": list(rows.parameters()), "weight_decay": weight_decay}], lr=RATE, betas=BETAS)


def steps(device: torch.device, *, count: int, every_row: bool = False) -> list[tuple[Tensor, Tensor]]:
    """(rows used, with repetitions; gradient of each use): the last ten rows are never used, unless all
    are."""
    generator = torch.Generator().manual_seed(1)
    made = []
    for _ in range(count):
        items = torch.randint(NUM_ROWS - 10, (12,), generator=generator)
        items = torch.cat([items, torch.arange(NUM_ROWS)]) if every_row else items
        made.append((items.to(device), torch.randn(len(items), DIM, generator=generator).to(device)))
    return made


def take(rows: nn.Embedding, optimizer: torch.optim.Optimizer, items: Tensor, gradient: Tensor) -> None:
    optimizer.zero_grad()
    half = len(items) // 2  # a step looks rows up more than once
    loss = (rows(items[:half]) * gradient[:half]).sum() + (rows(items[half:]) * gradient[half:]).sum()
    loss.backward()
    optimizer.step()


def plain(weight: Tensor, taken: list[tuple[Tensor, Tensor]], *, weight_decay: float) -> np.ndarray:
    """The definition, in double precision, a row at a time."""
    value = weight.double().cpu().numpy().copy()
    mean, square = np.zeros_like(value), np.zeros_like(value)
    for number, (items, gradient) in enumerate(taken, start=1):
        for row in sorted(set(items.tolist())):
            slope = gradient[items == row].double().sum(dim=0).cpu().numpy()
            mean[row] = BETAS[0] * mean[row] + (1 - BETAS[0]) * slope
            square[row] = BETAS[1] * square[row] + (1 - BETAS[1]) * slope**2
            unbiased_mean = mean[row] / (1 - BETAS[0] ** number)
            unbiased_square = square[row] / (1 - BETAS[1] ** number)
            value[row] -= RATE * weight_decay * value[row] + RATE * unbiased_mean / (
                np.sqrt(unbiased_square) + 1e-8
            )
    return value


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_it_is_lazy_adam(device: str, weight_decay: float) -> None:
    rows = table(sparse=True, device=on(device))
    before, taken = rows.weight.detach().clone(), steps(on(device), count=30)
    optimizer = optimizer_for(rows, weight_decay=weight_decay)
    for items, gradient in taken:
        take(rows, optimizer, items, gradient)
    expected = plain(before, taken, weight_decay=weight_decay)
    np.testing.assert_allclose(rows.weight.detach().cpu().numpy(), expected, atol=2e-5)
    assert torch.equal(rows.weight[-10:], before[-10:])
    assert not optimizer.state[rows.weight]["exp_avg"][-10:].any()


def test_without_decay_it_is_the_sparse_adam_of_torch() -> None:
    ours, other = (table(sparse=True, device=torch.device("cpu")) for _ in range(2))
    optimizer, reference = (
        optimizer_for(ours),
        torch.optim.SparseAdam(other.parameters(), lr=RATE, betas=BETAS),
    )
    for items, gradient in steps(torch.device("cpu"), count=20):
        take(ours, optimizer, items, gradient)
        take(other, reference, items, gradient)
    torch.testing.assert_close(ours.weight, other.weight, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("device", DEVICES)
def test_where_every_row_is_used_it_is_dense_adamw(device: str) -> None:
    rows, dense = (table(sparse=sparse, device=on(device)) for sparse in (True, False))
    optimizer = optimizer_for(rows, weight_decay=0.1)
    reference = torch.optim.AdamW(dense.parameters(), lr=RATE, betas=BETAS, weight_decay=0.1, fused=True)
    for items, gradient in steps(on(device), count=20, every_row=True):
        take(rows, optimizer, items, gradient)
        take(dense, reference, items, gradient)
    torch.testing.assert_close(rows.weight, dense.weight, atol=1e-5, rtol=1e-5)


def test_the_same_gradient_of_every_row_gives_the_same_bits_as_dense_adamw() -> None:
    """Without repetitions, whose sums may be rounded in another order."""
    rows, dense = (table(sparse=sparse, device=torch.device("cpu")) for sparse in (True, False))
    optimizer = optimizer_for(rows)
    reference = torch.optim.AdamW(dense.parameters(), lr=RATE, betas=BETAS, weight_decay=0.0, fused=True)
    for _, gradient in steps(torch.device("cpu"), count=20, every_row=True):
        for embedding, adam in ((rows, optimizer), (dense, reference)):
            adam.zero_grad()
            (embedding(torch.arange(NUM_ROWS)) * gradient[:NUM_ROWS]).sum().backward()
            adam.step()
    assert torch.equal(rows.weight, dense.weight)


def test_from_a_saved_state_it_goes_on_to_the_same_bits() -> None:
    rows = table(sparse=True, device=torch.device("cpu"))
    optimizer, taken = optimizer_for(rows), steps(torch.device("cpu"), count=10)
    for items, gradient in taken[:5]:
        take(rows, optimizer, items, gradient)
    again = table(sparse=True, device=torch.device("cpu"))
    again.load_state_dict(rows.state_dict())
    other = optimizer_for(again)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for items, gradient in taken[5:]:
        take(rows, optimizer, items, gradient)
        take(again, other, items, gradient)
    assert torch.equal(rows.weight, again.weight)
    assert optimizer.state[rows.weight]["step"] == 10


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("max_norm", [1.0, 1e6])
def test_rows_count_in_the_norm_that_is_clipped_as_a_dense_gradient_does(
    device: str, max_norm: float
) -> None:
    ((items, gradient),) = steps(on(device), count=1)
    models = [
        nn.ModuleDict({"table": table(sparse=sparse, device=on(device)), "layer": nn.Linear(DIM, 3)})
        for sparse in (True, False)
    ]
    models[1]["layer"].load_state_dict(models[0]["layer"].state_dict())
    for model in models:
        model.to(on(device))
        model["layer"](model["table"](items) * gradient).sum().backward()
    rows, dense = models
    clip_gradients(optimizer_for(rows), max_norm)
    nn.utils.clip_grad_norm_(dense.parameters(), max_norm)
    for one, other in zip(rows.parameters(), dense.parameters(), strict=True):
        assert one.grad is not None
        torch.testing.assert_close(one.grad.to_dense(), other.grad, atol=1e-6, rtol=1e-5)
    total = torch.nn.utils.get_total_norm(
        [weight.grad for weight in dense.parameters() if weight.grad is not None]
    )
    assert (total <= 1.0001) == (max_norm == 1.0)
