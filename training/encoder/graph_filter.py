"""Item vectors by which pooling is a low-pass filter on the graph of users and items: a closed form, hard to
beat on sparse sets.

A = U^-1/2 R I^-1/2 is who had what, with users and items divided by the root of how much they have plus
SHIFT. Its first right singular vectors V are the smooth signals of that graph; GF-CF (Shen et al. 2021,
arXiv:2108.07567) scores by R I^-1/2 V V' I^1/2. The shift (Peng et al. 2024, arXiv:2406.08827) keeps the few
events of the rare from looking smoothest of all. Here an item is scored by its row of I^POWER V and weighs
I^(-2 POWER) where `models.weighted_pooling` sums. Since V V' is the same for every basis of that space, the
space is all that is looked for, by subspace iteration (Halko et al. 2011, doi:10.1137/090771806).

Shapes: U users, N items, P pairs of a user and an item, D width, M D - 1, R rank.
"""

from __future__ import annotations

import warnings
from typing import Final

import torch
from torch import Tensor

from models.weighted_pooling import with_weights

ITERATIONS: Final = 3
"""A softer edge of the filter than the exact one, which more iterations would give, ranks no worse and costs
less."""
SHIFT: Final = 10.0
"""Added to how much a user or an item has. On Gowalla's validation items recall@20 is .222 with 0, .234 with
10, .218 with 40."""
POWER: Final = 0.4
"""Of how many have an item, plus the shift. On Gowalla's validation items .4 had recall@20 .234, .5 (GF-CF's)
.231."""
NUM_LONGEST: Final = 100
"""The mean length of so many longest vectors is 1."""


def graph_filter_item_vectors(
    users_E: Tensor, items_E: Tensor, *, num_items: int, dim: int, seed: int
) -> Tensor:
    """(N, D) for `weighted_pooling`, of users and items of events; having an item twice is having it. Items
    that nobody had are 0.

    Columns beyond the rank of a small shop's matrix are small random numbers.
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
        warnings.simplefilter(
            "ignore"
        )  # torch remarks that it does not check our indices, and that CSR is in beta
        return (
            torch.sparse_coo_tensor(torch.stack([rows_P, columns_P]), values_P, size)
            .coalesce()
            .to_sparse_csr()
        )
