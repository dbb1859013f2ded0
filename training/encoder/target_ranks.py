"""Where targets stand in full rankings, and what that is worth, for many users at once.

`metrics.py` does the same for one list that is there already. Here no list is made: to know a target's place
it is enough to count what scores higher, which is cheaper than a sort of the catalogue.

Shape suffixes: B users, N items, P pairs of a user and a target, K places.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

NOWHERE = 2**31 - 1
"""The place of a target that cannot be shown."""


def target_ranks(scores_BN: Tensor, row_P: Tensor, item_P: Tensor, *, depth: int) -> Tensor:
    """The place (from 0) of each target in its row's ranking: (P,). `row_P` ascends and names every row at
    least once.

    Ties count against us: whatever scores as much as a target stands ahead of it, unless it is a target of
    that row itself. What is no number counts as more. A target scored -inf, as what must not be shown is,
    stands `NOWHERE`. Where every row has one target, places are exact; else they are up to `depth`, and
    beyond it only known to lie there. Overwrites the targets' scores.

    >>> target_ranks(torch.tensor([[3.0, 1.0, 2.0, 1.0]]), torch.tensor([0]), torch.tensor([1]), depth=2)
    tensor([3])
    """
    num_rows, num_items = scores_BN.shape
    score_P = scores_BN[row_P, item_P]
    if len(row_P) == num_rows:
        rank_P = (
            num_items - 1 - (scores_BN < score_P[:, None]).sum(dim=1)
        )  # the target itself is not less, so it is taken off
    else:
        scores_BN[row_P, item_P] = -torch.inf
        best_BK = scores_BN.topk(min(depth, num_items)).values
        others_P = best_BK.shape[1] - (best_BK[row_P] < score_P[:, None]).sum(dim=1)
        rank_P = others_P + _place_in_row(score_P, row_P)
    return torch.where(score_P > -torch.inf, rank_P, NOWHERE)


def metrics_of_ranks(
    rank_P: Tensor, row_P: Tensor, *, num_rows: int, cutoffs: Sequence[int]
) -> dict[str, Tensor]:
    """Every row's `recall_k`, `capped_recall_k`, `ndcg_k` and `mrr_k` (B,), defined as in `metrics.py`. Each
    row has a target."""
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


def _place_in_row(score_P: Tensor, row_P: Tensor) -> Tensor:
    """How many targets of the same row score higher: 0, 1, ... in each row."""
    order_P = torch.argsort(score_P, descending=True, stable=True)
    order_P = order_P[torch.argsort(row_P[order_P], stable=True)]
    count_P = torch.arange(len(row_P), device=row_P.device)
    place_P = torch.empty_like(row_P)
    place_P[order_P] = count_P - torch.searchsorted(row_P, row_P)
    return place_P
