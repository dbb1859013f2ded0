"""A small text CNN that says whether a review is content: hashed n-grams, convolutions, the strongest place.

Kim 2014 (arXiv:1408.5882), over embeddings of hashed n-grams, with the mean of the embeddings beside the
convolutions as in fastText (Joulin et al. 2017, arXiv:1607.01759).

Shape suffixes: M texts, L places, G kinds of n-gram, D width, C channels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTHS = (2, 3, 4)
"""Places that the convolutions see at a time"""


class SentimentNetwork(nn.Module):
    """Hashed n-grams (M, L, G) → (M,) log-odds that the text is content. 0 is no n-gram."""

    scale: Tensor
    shift: Tensor

    def __init__(
        self,
        *,
        num_hashes: int = 2**17,
        dim: int = 48,
        channels: int = 64,
        dropout: float = 0.5,
        token_dropout: float = 0.15,
    ) -> None:
        super().__init__()
        self.grams = nn.Embedding(num_hashes, dim, padding_idx=0)
        self.weights = nn.Embedding(num_hashes, 1, padding_idx=0)
        self.convolutions = nn.ModuleList(nn.Conv1d(dim, channels, width) for width in WIDTHS)
        self.dropout = nn.Dropout(dropout)
        self.token_dropout = token_dropout
        self.out = nn.Linear(len(WIDTHS) * channels + dim, 1)
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("shift", torch.zeros(()))
        nn.init.normal_(self.grams.weight, std=0.1)
        nn.init.zeros_(self.weights.weight)
        with torch.no_grad():
            self.grams.weight[0] = 0

    def forward(self, tokens_MLG: Tensor) -> Tensor:
        """(M, L, G) → (M,)"""
        rows_MLG = torch.where(tokens_MLG > 0, 1 + tokens_MLG % (self.grams.num_embeddings - 1), 0)
        if self.training:
            kept = torch.rand(rows_MLG.shape[:2], device=rows_MLG.device) >= self.token_dropout
            rows_MLG = rows_MLG * kept[:, :, None]
        present_ML = (rows_MLG[:, :, 0] > 0).float()
        count_M = present_ML.sum(dim=1).clamp(min=1)
        vectors_MLD = self.grams(rows_MLG).sum(dim=2)
        mean_MD = vectors_MLD.sum(dim=1) / count_M[:, None]
        linear_M = self.weights(rows_MLG).sum(dim=(1, 2, 3)) * count_M.rsqrt()
        around = max(WIDTHS)  # so that there is a place of padding alone beside every text
        padded_MDL = F.pad(vectors_MLD.transpose(1, 2), (around, around))
        strongest = [F.relu(one(padded_MDL)).amax(dim=2) for one in self.convolutions]
        features = self.dropout(torch.cat([*strongest, mean_MD], dim=1))
        found: Tensor = (self.out(features).squeeze(1) + linear_M) * self.scale + self.shift
        return found
