"""Log-sum-exp of scores over many items, with the gradient computed in place: the cost of a softmax over a
catalogue.

Plain autograd keeps several tables of scores (the scores, their exponentials, the gradients of both) and
reads each more than once. Here there is one table. Its exponentials are the gradient up to a factor per
query, which is applied to the smaller operand of both matrix products. The table is items by queries, because
that product is twice as fast on a CPU.

Everything is float32, also for a model in bf16. A loss is the small difference between a log-sum and the
score of a target: from scores of 20 on, a table in bf16 is off by more than that.

Shape suffixes: S queries, N items, D width, C queries of a chunk.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

SCORES_AT_ONCE = {"cpu": 1 << 20, "cuda": 1 << 27}
"""Scores per chunk: on a CPU as many as fit into its cache, on a GPU enough to keep it busy (512 MB)."""
MIN_QUERIES = 32
"""Queries per chunk: a matrix product with fewer is slow."""
MASKED_LOGIT = -1e9
"""A logit without effect in a softmax; finite, so that no gradient becomes NaN."""
SAFE_SCORE = 40.0
"""Exponentials of scores up to this, and sums of millions of them, are well inside the range of float32."""


def weighted_log_sum_exp(query_SD: Tensor, vectors_ND: Tensor, weight_S: Tensor) -> Tensor:
    """Σ_s w_s · log Σ_n exp(q_s · v_n): a scalar, float32. Needs memory for one chunk of the scores, for any
    size of catalogue.

    The weights get no gradient. They are needed in the forward pass, which computes both gradients chunk by
    chunk.
    """
    total: Tensor = _WeightedLogSumExp.apply(query_SD, vectors_ND, weight_S)  # type: ignore[no-untyped-call]
    return total


def log_sum_exp(query_SD: Tensor, vectors_ND: Tensor, bias_N: Tensor, left_out_S: Tensor) -> Tensor:
    """log Σ_n exp(q_s · v_n + b_n) of each query, without the item n = `left_out_S` (S,); -1 leaves none out.

    (S,) float32; `MASKED_LOGIT` if no item is left. Keeps one (N, S) table for the backward pass.
    """
    result_S: Tensor = _LogSumExp.apply(query_SD, vectors_ND, bias_N, left_out_S)  # type: ignore[no-untyped-call]
    return result_S


class _WeightedLogSumExp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query_SD: Tensor, vectors_ND: Tensor, weight_S: Tensor) -> Tensor:
        by_query_SD = torch.empty_like(query_SD)
        by_item_ND = torch.zeros_like(vectors_ND)
        total = by_item_ND.new_zeros(())
        num_queries = max(MIN_QUERIES, SCORES_AT_ONCE.get(query_SD.device.type, 1 << 20) // len(vectors_ND))
        are_safe = _scores_are_safe(query_SD, vectors_ND)
        # one buffer for all chunks: a new one per chunk would cause page faults
        scratch = query_SD.new_empty(min(num_queries, len(query_SD)) * len(vectors_ND))
        for first in range(0, len(query_SD), num_queries):
            chunk = slice(first, first + num_queries)
            query_CD, weight_C = query_SD[chunk], weight_S[chunk]
            scores_NC = scratch[: len(vectors_ND) * len(query_CD)].view(len(vectors_ND), -1)
            torch.mm(vectors_ND, query_CD.T, out=scores_NC)
            exponentials_NC, sum_C, max_C = _exponentials(scores_NC, are_safe=are_safe)
            total += (weight_C * (sum_C.log() + max_C)).sum()
            share_C1 = (weight_C / sum_C)[:, None]
            by_query_SD[chunk] = (exponentials_NC.T @ vectors_ND) * share_C1
            by_item_ND.addmm_(exponentials_NC, query_CD * share_C1)
        ctx.save_for_backward(by_query_SD, by_item_ND)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        by_query_SD, by_item_ND = ctx.saved_tensors
        return gradient * by_query_SD, gradient * by_item_ND, None


class _LogSumExp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query_SD: Tensor, vectors_ND: Tensor, bias_N: Tensor, left_out_S: Tensor) -> Tensor:
        scores_NS = (vectors_ND @ query_SD.T).add_(bias_N[:, None])
        place_1S = left_out_S.clamp(min=0)[None]
        score_1S = scores_NS.gather(0, place_1S)
        scores_NS.scatter_(0, place_1S, score_1S.masked_fill_(left_out_S >= 0, MASKED_LOGIT))
        exponentials_NS, sum_S, max_S = _exponentials(scores_NS, are_safe=False)
        ctx.save_for_backward(query_SD, vectors_ND, exponentials_NS, sum_S)
        return sum_S.log() + max_S

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient_S: Tensor) -> tuple[Tensor, Tensor, None, None]:
        query_SD, vectors_ND, exponentials_NS, sum_S = ctx.saved_tensors
        share_S1 = (gradient_S / sum_S)[:, None]
        by_query_SD = (exponentials_NS.T @ vectors_ND) * share_S1
        return by_query_SD, exponentials_NS @ (query_SD * share_S1), None, None


def _exponentials(scores_NC: Tensor, *, are_safe: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Exponentials (N, C), in place, their sums (C,), and the maximum scores (C,) that were subtracted.

    From safe scores nothing is subtracted.
    """
    if are_safe:
        max_C = scores_NC.new_zeros(scores_NC.shape[1])
    else:
        max_C = scores_NC.amax(dim=0)
        scores_NC.sub_(max_C)
    exponentials_NC = scores_NC.exp_()
    return exponentials_NC, exponentials_NC.sum(dim=0), max_C


def _scores_are_safe(query_SD: Tensor, vectors_ND: Tensor) -> bool:
    """True if the norms bound all scores by ±`SAFE_SCORE`. False on a GPU, which would have to be waited
    for."""
    if query_SD.is_cuda or not len(query_SD):
        return False
    return float(query_SD.norm(dim=1).max() * vectors_ND.norm(dim=1).max()) < SAFE_SCORE
