"""Log-sum-exp and gradients in chunks and in place, against plain autograd over the full table of scores."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import models.log_sum_exp
from models.log_sum_exp import log_sum_exp, weighted_log_sum_exp


def example(scale: float = 1.0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(queries (S, D), vectors (N, D), weights (S,), biases (N,))"""
    generator = torch.Generator().manual_seed(3)
    query_SD = (scale * torch.randn(101, 8, generator=generator)).requires_grad_()
    vectors_ND = torch.randn(57, 8, generator=generator).requires_grad_()
    return query_SD, vectors_ND, torch.rand(101, generator=generator), torch.randn(57, generator=generator)


def gradients(value: Tensor, *of: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(value, of)


@pytest.mark.parametrize(
    "scores_at_once", [1, 57 * 40, 1 << 20], ids=["fewest", "forty queries", "one chunk"]
)
@pytest.mark.parametrize(
    "scale", [0.1, 3.0, 100.0], ids=["small scores", "middling scores", "scores beyond exp's range"]
)
def test_weighted_sum_and_gradients_are_those_of_plain_autograd(
    monkeypatch: pytest.MonkeyPatch, scores_at_once: int, scale: float
) -> None:
    monkeypatch.setattr(models.log_sum_exp, "SCORES_AT_ONCE", {"cpu": scores_at_once})
    query_SD, vectors_ND, weight_S, _ = example(scale)
    plain = weight_S @ torch.logsumexp(query_SD @ vectors_ND.T, dim=1)
    ours = weighted_log_sum_exp(query_SD, vectors_ND, weight_S)
    torch.testing.assert_close(ours, plain)
    # times 3: the gradient that comes from above is used
    mine, theirs = gradients(3 * ours, query_SD, vectors_ND), gradients(3 * plain, query_SD, vectors_ND)
    torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("scale", [0.1, 3.0, 100.0])
def test_sum_with_biases_leaves_one_item_of_each_query_out(scale: float) -> None:
    query_SD, vectors_ND, weight_S, bias_N = example(scale)
    scores_SN = query_SD @ vectors_ND.T + bias_N
    left_out_S = scores_SN.argmax(dim=1)  # the one without which the sum is quite another
    left_out_S[::3] = -1
    is_out_SN = torch.arange(len(vectors_ND)) == left_out_S[:, None]
    plain_S = torch.logsumexp(scores_SN.masked_fill(is_out_SN, -torch.inf), dim=1)
    ours_S = log_sum_exp(query_SD, vectors_ND, bias_N, left_out_S)
    torch.testing.assert_close(ours_S, plain_S)
    # a square: any gradient may come from above
    above = [(weight_S * result_S**2).sum() for result_S in (ours_S, plain_S)]
    mine, theirs = (gradients(value, query_SD, vectors_ND) for value in above)
    torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-3 * scale)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_the_same() -> None:
    query_SD, vectors_ND, weight_S, _ = example()
    on_cpu = gradients(weighted_log_sum_exp(query_SD, vectors_ND, weight_S), query_SD, vectors_ND)
    query_on, vectors_on = (
        query_SD.detach().cuda().requires_grad_(),
        vectors_ND.detach().cuda().requires_grad_(),
    )
    on_gpu = gradients(weighted_log_sum_exp(query_on, vectors_on, weight_S.cuda()), query_on, vectors_on)
    for mine, theirs in zip(on_gpu, on_cpu, strict=True):
        torch.testing.assert_close(mine.cpu(), theirs, rtol=1e-3, atol=1e-4)
