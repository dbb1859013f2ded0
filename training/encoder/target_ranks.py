"""Ranks of targets among all items, and the ranking metrics that follow, for a batch of users.

`training.evaluation.ranking_metrics` computes the same metrics for one ranked list. Here no list is made: the
rank of a target is the number of items that score higher, and counting is cheaper than sorting the catalogue.

Shape suffixes: B users, N items, P pairs of a user and a target, K ranks.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

NOWHERE = 2**31 - 1
"""The rank of a target that cannot be shown."""


def target_ranks(scores_BN: Tensor, row_P: Tensor, item_P: Tensor, *, depth: int) -> Tensor:
    """The rank (from 0) of each target among the items of its row: (P,). `row_P` ascends and contains every
    row at least once.

    Ties are pessimistic: an item with the same score ranks ahead of a target, unless it is a target of the
    same row. NaN ranks above every number. A target with the score -inf, which marks what must not be shown,
    has the rank `NOWHERE`. Ranks are exact if every row has one target; otherwise ranks of `depth` and more
    are only lower bounds. Overwrites the targets' scores.

    >>> target_ranks(torch.tensor([[3.0, 1.0, 2.0, 1.0]]), torch.tensor([0]), torch.tensor([1]), depth=2)
    tensor([3])
    """
    num_rows, num_items = scores_BN.shape
    score_P = scores_BN[row_P, item_P]
    if len(row_P) == num_rows:
        rank_P = num_items - 1 - (scores_BN < score_P[:, None]).sum(dim=1)  # 1 for the target itself
    else:
        scores_BN[row_P, item_P] = -torch.inf
        best_BK = scores_BN.topk(min(depth, num_items)).values
        others_P = best_BK.shape[1] - (best_BK[row_P] < score_P[:, None]).sum(dim=1)
        rank_P = others_P + _rank_in_row(score_P, row_P)
    return torch.where(score_P > -torch.inf, rank_P, NOWHERE)


def metrics_of_ranks(
    rank_P: Tensor, row_P: Tensor, *, num_rows: int, cutoffs: Sequence[int]
) -> dict[str, Tensor]:
    """`recall_k`, `capped_recall_k`, `ndcg_k` and `mrr_k` of every row (B,), as defined in
    `training.evaluation.ranking_metrics`. Every row has a target."""
    relevant_B = torch.bincount(row_P, minlength=num_rows)
    discounts_K = 1.0 / torch.log2(
        torch.arange(max(cutoffs), device=rank_P.device, dtype=torch.float64) + 2.0
    )
    ideal_K = discounts_K.cumsum(0)

    def total(value_P: Tensor) -> Tensor:
        return torch.zeros(num_rows, dtype=torch.float64, device=rank_P.device).index_add_(
            0, row_P, value_P.double()
        )

    found = {}
    for k in cutoffs:
        is_hit_P = rank_P < k
        hits_B, capped_B = total(is_hit_P), relevant_B.clamp(max=k)
        gain_P = torch.where(is_hit_P, discounts_K[rank_P.clamp(max=k - 1)], 0.0)
        first_B = torch.full_like(relevant_B, NOWHERE).scatter_reduce(0, row_P, rank_P, "amin")
        found[f"recall_{k}"] = hits_B / relevant_B
        found[f"capped_recall_{k}"] = hits_B / capped_B
        found[f"ndcg_{k}"] = total(gain_P) / ideal_K[capped_B - 1]
        found[f"mrr_{k}"] = torch.where(first_B < k, 1.0 / (first_B.double() + 1.0), 0.0)
    return found


def _rank_in_row(score_P: Tensor, row_P: Tensor) -> Tensor:
    """Rank of each target among the targets of its row: the number of those that score higher."""
    order_P = torch.argsort(score_P, descending=True, stable=True)
    order_P = order_P[torch.argsort(row_P[order_P], stable=True)]
    count_P = torch.arange(len(row_P), device=row_P.device)
    rank_P = torch.empty_like(row_P)
    rank_P[order_P] = count_P - torch.searchsorted(row_P, row_P)
    return rank_P
