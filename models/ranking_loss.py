"""The listwise loss of the ranker, over concatenated lists of different lengths.

Shape suffixes: G lists, C candidates of all lists.
"""

from __future__ import annotations

import torch
from torch import Tensor


def capped_listwise_softmax(
    scores_C: Tensor,
    relevant_C: Tensor,
    list_C: Tensor,
    *,
    list_weight_G: Tensor,
    places: int,
    log_weight_C: Tensor,
) -> Tensor:
    """Weighted mean over lists of the softmax cross-entropy of their relevant candidates, each with the
    weight 1 / min(number of relevant candidates, `places`).

    These are the weights of capped recall: if more candidates are relevant than the `places` that can be
    shown, none counts less than 1 / `places`. `list_C` is the list of each candidate, ascending.
    `log_weight_C` is the log of the number of candidates that each represents in the softmax: 0, or -log p
    for a candidate that was sampled with probability p.

    Source: ListNet's top-one probability (Cao et al. 2007, doi:10.1145/1273496.1273513).
    """
    logits_C = scores_C + log_weight_C
    num_lists = len(list_weight_G)
    highest_G = torch.full((num_lists,), -torch.inf).scatter_reduce(0, list_C, logits_C.detach(), "amax")
    sums_G = torch.zeros(num_lists).index_add(0, list_C, torch.exp(logits_C - highest_G[list_C]))
    log_sum_G = sums_G.log() + highest_G
    counts_G = torch.zeros(num_lists).index_add(0, list_C, relevant_C)
    share_C = relevant_C / counts_G.clamp(min=1, max=places)[list_C]
    return (share_C * list_weight_G[list_C] * (log_sum_G[list_C] - scores_C)).sum() / list_weight_G.sum()


def representative_cross_entropy(
    logits_C: Tensor, had_C: Tensor, *, list_weight_C: Tensor, log_weight_C: Tensor, num_usual: float
) -> Tensor:
    """Binary cross-entropy of candidates, summed, and divided by how many of so many lists usually had it
    (`num_usual`): the level that a listwise loss leaves open.

    Each candidate counts for as many as it stands for (`log_weight_C`) and as its list does
    (`list_weight_C`), so that sigmoid(logit) estimates a probability.
    """
    weight_C = list_weight_C * log_weight_C.exp()
    losses_C = torch.nn.functional.binary_cross_entropy_with_logits(
        logits_C, had_C, weight_C, reduction="none"
    )
    return losses_C.sum() / num_usual
