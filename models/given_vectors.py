"""Vectors of items that came from elsewhere (of texts, of images), as an input of the item tower.

Shape suffixes: M items, V width of the given vectors, D width of ours.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

RIDGE = 1.0
"""Pull of the initial projection towards zero"""


def ridge(inputs_MV: Tensor, outputs_MD: Tensor) -> Tensor:
    """(V, D) the matrix whose product with the inputs comes nearest to the outputs: ridge regression."""
    square_VV = inputs_MV.T @ inputs_MV + RIDGE * torch.eye(inputs_MV.shape[1], device=inputs_MV.device)
    solved_VD: Tensor = torch.linalg.solve(square_VV, inputs_MV.T @ outputs_MD)
    return solved_VD


class GivenVectors(nn.Module):
    """A learned projection (M, V) → (M, D); a row of zeros is an item without a vector, for which one is
    learned."""

    def __init__(self, *, width: int, dim: int) -> None:
        super().__init__()
        self.projection = nn.Linear(width, dim, bias=False)
        self.missing = nn.Parameter(torch.zeros(dim))
        nn.init.zeros_(self.projection.weight)

    def forward(self, given_MV: Tensor) -> Tensor:
        """(M, V) → (M, D)"""
        is_missing_M1 = (given_MV == 0).all(dim=1, keepdim=True).to(given_MV.dtype)
        found: Tensor = self.projection(given_MV) + is_missing_M1 * self.missing
        return found

    @torch.no_grad()
    def load_pretrained(self, given_MV: Tensor, vectors_MD: Tensor) -> None:
        """Set the projection so that it comes near to these vectors: a ridge regression."""
        has_vector_M = given_MV.any(dim=1)
        if has_vector_M.any():
            solved_VD = ridge(given_MV[has_vector_M], vectors_MD[has_vector_M])
            self.projection.weight.copy_(solved_VD.T)
        if not has_vector_M.all():
            self.missing.copy_(vectors_MD[~has_vector_M].mean(dim=0))
