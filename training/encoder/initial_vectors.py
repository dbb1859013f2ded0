"""Item vectors to start from: a truncated SVD of who bought what, seconds of work that epochs of training
would need.

From random vectors a two-core machine spends the first epochs on finding out what is popular: on Complete
Journey three epochs over 68,509 items ended at recall@20 .120 with loss 9.44, above the entropy of the items'
frequencies (9.33), where the SVD alone stands at .204. Source: PureSVD (Cremonesi et al. 2010,
doi:10.1145/1864708.1864721).

Shapes: U users, N items, D width.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

ITERATIONS = 4
NORM_OF_FREQUENT = 2.0
"""Length of the vectors of the items that are bought most: gives first logits of a sensible size."""


def svd_item_vectors(
    users_E: Tensor, items_E: Tensor, weights_E: Tensor, *, num_items: int, dim: int, seed: int
) -> Tensor:
    """Right singular vectors (N, D) of the user-item matrix with entries log(1 + summed weight).

    Columns beyond the rank of a small shop's matrix are small random numbers.
    """
    num_users = int(users_E.max()) + 1
    pairs, pair_E = torch.unique(users_E * num_items + items_E, return_inverse=True)
    sums = torch.bincount(pair_E, weights=weights_E)
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch remarks that it does not check our indices
        matrix_UN = torch.sparse_coo_tensor(
            torch.stack([pairs // num_items, pairs % num_items]),
            torch.log1p(sums.float()),
            (num_users, num_items),
        ).coalesce()
        rank = min(dim, num_users, num_items)
        _, _, right_NR = torch.svd_lowrank(matrix_UN, q=rank, niter=ITERATIONS)
    norm = right_NR.norm(dim=1).topk(min(100, num_items)).values.mean()
    vectors_ND = 0.01 * torch.randn(num_items, dim)
    vectors_ND[:, :rank] += right_NR * (NORM_OF_FREQUENT / norm)
    return vectors_ND
