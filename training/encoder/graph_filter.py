"""Graph filter: initial item vectors with which weighted pooling is a low-pass filter on the user-item graph.
A closed form, and a strong baseline on sparse data.

A = U^-1/2 R I^-1/2 is the user-item matrix R, normalised by the degrees of users and items plus SHIFT. Its
first right singular vectors V are the low-frequency signals of the graph. GF-CF (Shen et al. 2021,
arXiv:2108.07567) scores by R I^-1/2 V V' I^1/2. The shift (Peng et al. 2024, arXiv:2406.08827) keeps nodes of
low degree from dominating the low frequencies. Here an item is scored by its row of I^POWER V and has the
weight I^(-2 POWER) in `models.weighted_pooling`. V V' is the same for every orthonormal basis of the
subspace, so subspace iteration is enough (Halko et al. 2011, doi:10.1137/090771806).

Shapes: U users, N items, P pairs of a user and an item, D width, M = D - 1, R rank.
"""

from __future__ import annotations

import warnings
from typing import Final

import torch
from torch import Tensor

from models.weighted_pooling import with_weights

ITERATIONS: Final = 3
"""More iterations give the exact, sharper filter. It ranks no better and costs more."""
SHIFT: Final = 10.0
"""Added to each degree. Recall@20 on Gowalla's validation items: .222 with 0, .234 with 10, .218 with 40."""
POWER: Final = 0.4
"""Exponent of an item's shifted degree. Recall@20 on Gowalla's validation items: .234 with .4, .231 with .5
(GF-CF)."""
NUM_LONGEST: Final = 100
"""Vectors are scaled so that this many longest ones have a mean norm of 1."""


def graph_filter_item_vectors(
    users_E: Tensor, items_E: Tensor, *, num_items: int, dim: int, seed: int
) -> Tensor:
    """Item vectors (N, D) for `weighted_pooling`, from the user and the item of each event. Repeated pairs
    count once, and items without events are 0.

    Columns beyond the rank of the matrix are small random numbers.
    """
    pairs = torch.unique(users_E * num_items + items_E)
    user_P, item_P = pairs // num_items, pairs % num_items
    num_users = int(users_E.max()) + 1
    count_N = torch.bincount(item_P, minlength=num_items)
    degree_U, degree_N = torch.bincount(user_P) + SHIFT, count_N + SHIFT
    values_P = (degree_U[user_P] * degree_N[item_P]).rsqrt()
    matrix_UN = _sparse(user_P, item_P, values_P, (num_users, num_items))
    matrix_NU = _sparse(item_P, user_P, values_P, (num_items, num_users))
    generator = torch.Generator().manual_seed(seed)
    basis_NR = torch.randn(num_items, min(dim - 1, num_users, num_items), generator=generator)
    for _ in range(ITERATIONS):
        basis_NR = torch.linalg.qr(matrix_NU @ (matrix_UN @ basis_NR)).Q
    vectors_NM = 0.001 * torch.randn(num_items, dim - 1, generator=generator)
    vectors_NM[:, : basis_NR.shape[1]] = basis_NR
    vectors_NM *= (degree_N.pow(POWER) * (count_N > 0))[:, None]
    vectors_NM /= vectors_NM.norm(dim=1).topk(min(NUM_LONGEST, num_items)).values.mean()
    return with_weights(vectors_NM, -2 * POWER * degree_N.log() * (count_N > 0))


def _sparse(rows_P: Tensor, columns_P: Tensor, values_P: Tensor, size: tuple[int, int]) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of unchecked indices, and that CSR is in beta
        matrix = torch.sparse_coo_tensor(torch.stack([rows_P, columns_P]), values_P, size)
        return matrix.coalesce().to_sparse_csr()
