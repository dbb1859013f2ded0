"""The logarithm of a sum over many items, whose gradient is made in place: what a softmax over a catalogue
costs.

Plain autograd keeps several tables of scores (the scores, their exponentials, the gradients of both) and
reads each more than once. Here there is one table, and its exponentials are its own gradient but for a factor
a query, which goes to the small side of the two products that need it. Scores stand as items by queries: the
product is twice as fast that way round on a CPU.

Shape suffixes: S queries, N items, D width, C queries of a chunk.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

SCORES_AT_ONCE = {"cpu": 1 << 20, "cuda": 1 << 27}
"""Scores of a chunk: on a CPU as many as its cache holds, on a GPU as many as keep it busy (512 MB)."""
FEWEST_QUERIES = 32
"""In a chunk: a product with fewer is slow."""
SMALL = 40.0
"""Exponentials of scores up to this, and sums over millions of them, are far from the ends of float32."""


def weighted_log_sum(query_SD: Tensor, vectors_ND: Tensor, weight_S: Tensor) -> Tensor:
    """Σ_s w_s · log Σ_n exp(q_s · v_n), with memory for a chunk of the scores alone, whatever the catalogue.
    A scalar, float32.

    The weights must be known beforehand and have no gradient: with them both gradients are made while a
    chunk's scores stand.
    """
    total: Tensor = _WeightedLogSum.apply(query_SD, vectors_ND, weight_S)  # type: ignore[no-untyped-call]
    return total


def log_sum(query_SD: Tensor, vectors_ND: Tensor, bias_N: Tensor) -> Tensor:
    """log Σ_n exp(q_s · v_n + b_n) of each query: (S,) float32. Keeps one (N, S) table until the gradient is
    asked for."""
    result_S: Tensor = _LogSum.apply(query_SD, vectors_ND, bias_N)  # type: ignore[no-untyped-call]
    return result_S


class _WeightedLogSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query_SD: Tensor, vectors_ND: Tensor, weight_S: Tensor) -> Tensor:
        dtype = _product_dtype(query_SD)
        query, vectors = query_SD.to(dtype), vectors_ND.to(dtype)
        by_query_SD = torch.empty_like(query, dtype=torch.float32)
        by_item_ND = torch.zeros_like(vectors, dtype=torch.float32)
        total = by_item_ND.new_zeros(())
        num_queries = max(FEWEST_QUERIES, SCORES_AT_ONCE.get(query.device.type, 1 << 20) // len(vectors))
        is_small = _scores_are_small(query, vectors)
        scratch = query.new_empty(
            min(num_queries, len(query)) * len(vectors)
        )  # a new table a chunk would be paged in each time
        for first in range(0, len(query), num_queries):
            chunk = slice(first, first + num_queries)
            query_CD, weight_C = query[chunk], weight_S[chunk]
            scores_NC = scratch[: len(vectors) * len(query_CD)].view(len(vectors), -1)
            torch.mm(vectors, query_CD.T, out=scores_NC)
            powers_NC, sum_C, largest_C = _powers(scores_NC, is_small=is_small)
            total += (weight_C * (sum_C.log() + largest_C)).sum()  # no product: autocast would round it
            share_C1 = (weight_C / sum_C)[:, None]
            powers_NC = powers_NC.to(dtype)
            by_query_SD[chunk] = (powers_NC.T @ vectors).float() * share_C1
            if dtype == torch.float32:
                by_item_ND.addmm_(powers_NC, query_CD * share_C1)
            else:
                by_item_ND += (powers_NC @ (query_CD * share_C1).to(dtype)).float()
        ctx.save_for_backward(by_query_SD.to(query_SD.dtype), by_item_ND.to(vectors_ND.dtype))
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        by_query_SD, by_item_ND = ctx.saved_tensors
        return gradient * by_query_SD, gradient * by_item_ND, None


class _LogSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query_SD: Tensor, vectors_ND: Tensor, bias_N: Tensor) -> Tensor:
        dtype = _product_dtype(query_SD)
        query, vectors = query_SD.to(dtype), vectors_ND.to(dtype)
        scores_NS = (vectors @ query.T).float().add_(bias_N[:, None])
        powers_NS, sum_S, largest_S = _powers(scores_NS, is_small=False)
        ctx.save_for_backward(query, vectors, powers_NS.to(dtype), sum_S)
        ctx.dtypes = query_SD.dtype, vectors_ND.dtype
        return sum_S.log() + largest_S

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient_S: Tensor) -> tuple[Tensor, Tensor, None]:
        query_SD, vectors_ND, powers_NS, sum_S = ctx.saved_tensors
        share_S1 = (gradient_S / sum_S)[:, None]
        by_query_SD = (powers_NS.T @ vectors_ND).float() * share_S1
        by_item_ND = powers_NS @ (query_SD * share_S1).to(query_SD.dtype)
        return by_query_SD.to(ctx.dtypes[0]), by_item_ND.to(ctx.dtypes[1]), None


def _powers(scores_NC: Tensor, *, is_small: bool) -> tuple[Tensor, Tensor, Tensor]:
    """(N, C) exponentials, in place where the scores are float32, their sums (C,), and the largest scores
    (C,) taken out.

    From small scores nothing needs to be taken out.
    """
    scores_NC = scores_NC.float()
    if is_small:
        largest_C = scores_NC.new_zeros(scores_NC.shape[1])
    else:
        largest_C = scores_NC.amax(dim=0)
        scores_NC.sub_(largest_C)
    powers_NC = scores_NC.exp_()
    return powers_NC, powers_NC.sum(dim=0), largest_C


def _scores_are_small(query_SD: Tensor, vectors_ND: Tensor) -> bool:
    """True when no score can be beyond ±`SMALL`, by the lengths of the vectors. A GPU would have to wait for
    the answer."""
    if query_SD.is_cuda or not len(query_SD):
        return False
    return float(query_SD.norm(dim=1).max() * vectors_ND.norm(dim=1).max()) < SMALL


def _product_dtype(tensor: Tensor) -> torch.dtype:
    """What autocast would multiply in: a function with a gradient of its own has to ask."""
    kind = tensor.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else torch.float32
