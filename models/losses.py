"""Losses as pure functions. A query may have several targets (a basket): each pair (query, target) is one
term.

Shape suffixes: S queries, P pairs, K negatives, N items, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from models.log_sum import log_sum, weighted_log_sum

NEVER = -1e9
"""A logit that no softmax notices; finite, so that no gradient turns into NaN."""


def full_softmax(
    query_SD: Tensor,
    pair_query_P: Tensor,
    targets_P: Tensor,
    item_vectors_ND: Tensor,
    *,
    pair_weight_P: Tensor | None = None,
) -> Tensor:
    """Mean cross-entropy of each target among the whole catalogue.

    The log of the sum is taken once a query, not once a pair: a basket of ten costs as much as a basket of
    one. The scores are made a few queries at a time and never kept, see `weighted_log_sum`.
    """
    weight_P = torch.ones_like(targets_P, dtype=torch.float32) if pair_weight_P is None else pair_weight_P
    weight_P = weight_P / weight_P.sum()
    weight_S = weight_P.new_zeros(len(query_SD)).index_add_(0, pair_query_P, weight_P)
    positive_P = (query_SD[pair_query_P] * item_vectors_ND[targets_P]).sum(dim=1).float()
    return weighted_log_sum(query_SD, item_vectors_ND, weight_S) - (weight_P * positive_P).sum()


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
    """Cross-entropy against `negatives_K`, shared by all queries and corrected for how often each is expected
    (logQ).

    `log_expected_K` is the logarithm of the chance that each negative is among this batch's, so that the sum
    over negatives estimates the sum over the catalogue; the target stands in the sum once, uncorrected, and a
    negative that is the pair's target is left out (Yi et al. 2019, doi:10.1145/3298689.3346996; Khrylchenko
    et al. 2025, arXiv:2507.09331). Negatives are distinct and ascending: drawn ones, or the batch's own
    targets.
    """
    log_sum_S = log_sum(query_SD, negative_vectors_KD, -log_expected_K)
    query_PD = query_SD[pair_query_P]
    positive_P = (query_PD * target_vectors_PD).sum(dim=1).float()
    # without a (P, K) table: log(e^a - e^b) = a + log1p(-e^(b - a))
    place_P, drawn_P = _own_draw(targets_P, negatives_K)
    drawn_score_P = (query_PD * negative_vectors_KD[place_P]).sum(dim=1).float() - log_expected_K[place_P]
    own_P = torch.where(drawn_P, drawn_score_P, NEVER)
    share_P = (own_P - log_sum_S[pair_query_P]).clamp(max=-1e-6)
    log_rest_P = log_sum_S[pair_query_P] + torch.log1p(-torch.exp(share_P))
    return _mean(torch.logaddexp(positive_P, log_rest_P) - positive_P, pair_weight_P)


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
    """Generalised binary cross-entropy: the positive's likelihood is raised to a power that makes up for
    drawing few negatives.

    With a share α of the other items drawn (evenly), the power is β = α (t (1 - 1/α) + 1/α); t =
    `calibration`. The mean is over the positive and its negatives. Source: gSASRec (Petrov & Macdonald 2023,
    arXiv:2308.07192).
    """
    drawn = max(len(negatives_K), 1)
    alpha = min(drawn / max(num_items - 1, 1), 1.0)
    beta = alpha * (calibration * (1 - 1 / alpha) + 1 / alpha)
    negative_SK = F.softplus((query_SD @ negative_vectors_KD.T).float())
    positive_P = (query_SD[pair_query_P] * target_vectors_PD).sum(dim=1).float()
    place_P, drawn_P = _own_draw(targets_P, negatives_K)
    own_P = negative_SK[pair_query_P, place_P] * drawn_P
    rest_P = negative_SK.sum(dim=1)[pair_query_P] - own_P
    return _mean((beta * F.softplus(-positive_P) + rest_P) / (drawn + 1), pair_weight_P)


def _mean(loss_P: Tensor, pair_weight_P: Tensor | None) -> Tensor:
    """Weighted by the pairs' weights, where there are any."""
    return loss_P.mean() if pair_weight_P is None else (loss_P * pair_weight_P).sum() / pair_weight_P.sum()


def _own_draw(targets_P: Tensor, negatives_K: Tensor) -> tuple[Tensor, Tensor]:
    """Where among the ascending negatives each target stands, and whether it does, found by bisection."""
    place_P = torch.searchsorted(negatives_K, targets_P).clamp(max=len(negatives_K) - 1)
    return place_P, negatives_K[place_P] == targets_P
