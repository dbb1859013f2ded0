"""Losses as pure functions. A query may have several targets (a basket): each pair (query, target) is one term.

Shape suffixes: S queries, P pairs, K negatives, N items, D width, G lists, C candidates of a list.
"""

from __future__ import annotations

import torch
from torch import Tensor

NEVER = -1e9
"""A logit that no softmax notices; finite, so that no gradient turns into NaN."""


def full_softmax(query_SD: Tensor, pair_query_P: Tensor, targets_P: Tensor, item_vectors_ND: Tensor) -> Tensor:
    """Mean cross-entropy of each target among the whole catalogue.

    The log of the sum is taken once a query, not once a pair: a basket of ten costs as much as a basket of one.
    """
    logits_SN = query_SD @ item_vectors_ND.T
    log_sum_S = torch.logsumexp(logits_SN.float(), dim=1)
    positive_P = logits_SN[pair_query_P, targets_P].float()
    return (log_sum_S[pair_query_P] - positive_P).mean()


def sampled_softmax(
    query_SD: Tensor,
    pair_query_P: Tensor,
    targets_P: Tensor,
    target_vectors_PD: Tensor,
    negatives_K: Tensor,
    negative_vectors_KD: Tensor,
    log_expected_K: Tensor,
) -> Tensor:
    """Cross-entropy against `negatives_K`, shared by all queries and corrected for how often each is expected (logQ).

    `log_expected_K` is the logarithm of the chance that each negative is among this batch's, so that the sum over
    negatives estimates the sum over the catalogue; the target stands in the sum once, uncorrected, and a negative that is
    the pair's target is left out (Yi et al. 2019, doi:10.1145/3298689.3346996; Khrylchenko et al. 2025, arXiv:2507.09331).
    """
    corrected_SK = (query_SD @ negative_vectors_KD.T).float() - log_expected_K
    positive_P = (query_SD[pair_query_P] * target_vectors_PD).sum(dim=1).float()
    log_sum_S = torch.logsumexp(corrected_SK, dim=1)
    log_rest_P = _without_own_target(log_sum_S[pair_query_P], corrected_SK, pair_query_P, targets_P, negatives_K)
    return (torch.logaddexp(positive_P, log_rest_P) - positive_P).mean()


def _without_own_target(
    log_sum_P: Tensor, corrected_SK: Tensor, pair_query_P: Tensor, targets_P: Tensor, negatives_K: Tensor
) -> Tensor:
    """Take the target's own draws out of each pair's log-sum, without a (P, K) table.

    Negatives are distinct and ascending, so a target is found by bisection: log(e^a - e^b) = a + log1p(-e^(b - a)).
    """
    place_P = torch.searchsorted(negatives_K, targets_P).clamp(max=len(negatives_K) - 1)
    drawn_P = negatives_K[place_P] == targets_P
    own_P = torch.where(drawn_P, corrected_SK[pair_query_P, place_P], NEVER)
    share_P = (own_P - log_sum_P).clamp(max=-1e-6)
    return log_sum_P + torch.log1p(-torch.exp(share_P))


def listwise_softmax(scores_GC: Tensor, relevant_GC: Tensor, valid_GC: Tensor) -> Tensor:
    """Mean over lists of the cross-entropy between the scores' softmax and an even spread over the relevant candidates.

    Source: ListNet's top-one probability (Cao et al. 2007, doi:10.1145/1273496.1273513).
    """
    log_probability_GC = torch.log_softmax(scores_GC.masked_fill(~valid_GC, NEVER), dim=1)
    share_GC = relevant_GC / relevant_GC.sum(dim=1, keepdim=True)
    return -(share_GC * log_probability_GC).sum(dim=1).mean()
