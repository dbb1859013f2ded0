"""Losses as pure functions. A query may have several targets (a basket); each pair of both is one term.

All are computed in float32, also under autocast: see `models.log_sum_exp`.

Shape suffixes: S queries, P pairs, K negatives, N items, D width.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import torch
from torch import Tensor
from torch.nn import functional as F

from models.log_sum_exp import log_sum_exp, weighted_log_sum_exp

Arguments = ParamSpec("Arguments")


def _in_float32(loss: Callable[Arguments, Tensor]) -> Callable[Arguments, Tensor]:
    """The loss without autocast, its floating-point tensors cast to float32."""

    @wraps(loss)
    def in_float32(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Tensor:
        device = next(value.device.type for value in args if isinstance(value, Tensor))
        with torch.autocast(device, enabled=False):
            return loss(
                *(_to_float32(value) for value in args),  # type: ignore[arg-type]
                **{name: _to_float32(value) for name, value in kwargs.items()},  # type: ignore[arg-type]
            )

    return in_float32


def _to_float32(value: object) -> object:
    return value.float() if isinstance(value, Tensor) and value.is_floating_point() else value


@_in_float32
def full_softmax(
    query_SD: Tensor,
    pair_query_P: Tensor,
    targets_P: Tensor,
    item_vectors_ND: Tensor,
    *,
    pair_weight_P: Tensor | None = None,
) -> Tensor:
    """Mean softmax cross-entropy of the targets over the whole catalogue.

    The log-sum-exp is computed once per query, not per pair: a basket of ten items costs as much as one item.
    Scores are computed in chunks and not kept, see `weighted_log_sum_exp`.
    """
    weight_P = torch.ones_like(targets_P, dtype=torch.float32) if pair_weight_P is None else pair_weight_P
    weight_P = weight_P / weight_P.sum()
    weight_S = weight_P.new_zeros(len(query_SD)).index_add_(0, pair_query_P, weight_P)
    positive_P = (query_SD[pair_query_P] * item_vectors_ND[targets_P]).sum(dim=1)
    return weighted_log_sum_exp(query_SD, item_vectors_ND, weight_S) - (weight_P * positive_P).sum()


@_in_float32
def sampled_softmax(
    query_SD: Tensor,
    pair_query_P: Tensor,
    targets_P: Tensor,
    target_vectors_PD: Tensor,
    negatives_K: Tensor,
    negative_vectors_KD: Tensor,
    log_expected_K: Tensor,
    *,
    pair_weight_P: Tensor | None = None,
) -> Tensor:
    """Softmax cross-entropy against `negatives_K`, which all queries share, with the logQ correction.

    `log_expected_K` is the log probability that each negative is among those of this batch, so that the sum
    over negatives estimates the sum over the catalogue. The target is in the sum once, uncorrected, and a
    negative that equals the pair's target is left out (Yi et al. 2019, doi:10.1145/3298689.3346996;
    Khrylchenko et al. 2025, arXiv:2507.09331). Negatives are distinct and ascending: sampled or in-batch.
    """
    query_PD = query_SD[pair_query_P]
    positive_P = (query_PD * target_vectors_PD).sum(dim=1)
    index_P, is_negative_P = _among_negatives(targets_P, negatives_K)
    own_score_P = (query_PD * negative_vectors_KD[index_P]).sum(dim=1) - log_expected_K[index_P]
    own_P = torch.where(is_negative_P, own_score_P, -torch.inf)
    # no (P, K) table: log(e^a - e^b) = a + log1p(-e^(b - a)). Where e^b is nearly all of e^a, only rounding
    # would be left. That can be the greatest own draw of a query alone, so the sum of the query is without it
    apart_S = _greatest_draw(own_P, pair_query_P, index_P, num_queries=len(query_SD))
    log_others_S = log_sum_exp(query_SD, negative_vectors_KD, -log_expected_K, apart_S)
    apart_score_S = (query_SD * negative_vectors_KD[apart_S]).sum(dim=1) - log_expected_K[apart_S]
    log_sum_S = torch.logaddexp(log_others_S, torch.where(apart_S >= 0, apart_score_S, -torch.inf))
    is_apart_P = is_negative_P & (index_P == apart_S[pair_query_P])
    log_sum_P = torch.where(is_apart_P, log_others_S[pair_query_P], log_sum_S[pair_query_P])
    left_P = torch.where(is_apart_P, -torch.inf, own_P)
    log_rest_P = log_sum_P + torch.log1p(-torch.exp(left_P - log_sum_P))
    return _mean(torch.logaddexp(positive_P, log_rest_P) - positive_P, pair_weight_P)


@_in_float32
def gbce(
    query_SD: Tensor,
    pair_query_P: Tensor,
    targets_P: Tensor,
    target_vectors_PD: Tensor,
    negatives_K: Tensor,
    negative_vectors_KD: Tensor,
    *,
    num_items: int,
    calibration: float,
    pair_weight_P: Tensor | None = None,
) -> Tensor:
    """Generalised binary cross-entropy (gBCE): the positive's likelihood is raised to a power that corrects
    the overconfidence of negative sampling.

    With a share α of the other items sampled (uniformly), the power is β = α (t (1 - 1/α) + 1/α), where t is
    `calibration`. The mean is over the positive and its negatives. Source: gSASRec (Petrov & Macdonald 2023,
    arXiv:2308.07192).
    """
    num_negatives = max(len(negatives_K), 1)
    alpha = min(num_negatives / max(num_items - 1, 1), 1.0)
    beta = alpha * (calibration * (1 - 1 / alpha) + 1 / alpha)
    negative_SK = F.softplus(query_SD @ negative_vectors_KD.T)
    positive_P = (query_SD[pair_query_P] * target_vectors_PD).sum(dim=1)
    index_P, is_negative_P = _among_negatives(targets_P, negatives_K)
    own_P = negative_SK[pair_query_P, index_P] * is_negative_P
    rest_P = negative_SK.sum(dim=1)[pair_query_P] - own_P
    return _mean((beta * F.softplus(-positive_P) + rest_P) / (num_negatives + 1), pair_weight_P)


def _mean(loss_P: Tensor, pair_weight_P: Tensor | None) -> Tensor:
    """Mean over pairs, weighted if there are weights."""
    return loss_P.mean() if pair_weight_P is None else (loss_P * pair_weight_P).sum() / pair_weight_P.sum()


def _among_negatives(targets_P: Tensor, negatives_K: Tensor) -> tuple[Tensor, Tensor]:
    """The index of each target among the ascending negatives, and whether it is one of them."""
    index_P = torch.searchsorted(negatives_K, targets_P).clamp(max=len(negatives_K) - 1)
    return index_P, negatives_K[index_P] == targets_P


def _greatest_draw(own_P: Tensor, pair_query_P: Tensor, index_P: Tensor, *, num_queries: int) -> Tensor:
    """The index, among the negatives, of each query's own draw with the greatest score: (S,), -1 if none."""
    greatest_S = own_P.new_full((num_queries,), -torch.inf)
    greatest_S = greatest_S.scatter_reduce(0, pair_query_P, own_P.detach(), "amax")
    index_P = torch.where(own_P.isfinite() & (own_P == greatest_S[pair_query_P]), index_P, -1)
    return index_P.new_full((num_queries,), -1).scatter_reduce(0, pair_query_P, index_P, "amax")
