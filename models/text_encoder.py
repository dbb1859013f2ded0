"""A text encoder small enough to be trained with the shop's own events, from nothing.

A text is the sum of the embeddings of its hashed words and character trigrams, as in fastText (Bojanowski et
al. 2017, arXiv:1607.04606) and with hashes for a vocabulary as in Weinberger et al. 2009 (arXiv:0902.2206),
plus a convolution over the words in their order (Kim 2014, arXiv:1408.5882).

Shape suffixes: M texts, T tokens, W words, C channels, D width, H hashes.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CHANNELS = 16
WIDTH = 3
"""Words that the convolution sees at a time"""
MAX_WORDS = 16
"""Words that the convolution runs over, the first ones"""
RIDGE = 3.0
"""Pull of the initial embeddings towards zero"""
ITERATIONS = 15
"""Of conjugate gradients. More fit noise."""


class TextEncoder(nn.Module):
    """Tokens (M, T) of `features.profiles.item_text` → (M, D); zeros for a text without a token."""

    def __init__(self, *, num_hashes: int, num_words: int, dim: int) -> None:
        super().__init__()
        self.num_words = min(num_words, MAX_WORDS)
        self.tokens = nn.Embedding(num_hashes, dim, padding_idx=0)
        self.convolution = nn.Linear(dim, WIDTH * CHANNELS, bias=False)
        self.bias = nn.Parameter(torch.zeros(CHANNELS))
        self.out = nn.Linear(CHANNELS, dim, bias=False)
        nn.init.zeros_(self.tokens.weight)  # a token without training data has no effect
        nn.init.zeros_(self.out.weight)  # so that the encoder begins as the sum alone

    def forward(self, tokens_MT: Tensor) -> Tensor:
        """(M, T) → (M, D)"""
        rows_MT = self._rows(tokens_MT)
        sums_MD = self._sums(rows_MT) * _scale(rows_MT)[:, None]
        words_MW = rows_MT[:, : self.num_words]
        found: Tensor = sums_MD + self.out(self._convolved(words_MW))
        return found

    def _rows(self, tokens_MT: Tensor) -> Tensor:
        """(M, T) the row of each token in the table, from 1; 0 for none."""
        return torch.where(tokens_MT > 0, 1 + tokens_MT % (self.tokens.num_embeddings - 1), 0)

    def _sums(self, rows_MT: Tensor) -> Tensor:
        """(M, D) the sums of the tokens' embeddings."""
        sums_MD: Tensor
        if self.training:  # several times as fast, and ten times as slow in ONNX
            sums_MD = F.embedding_bag(rows_MT, self.tokens.weight, mode="sum", padding_idx=0)
        else:
            sums_MD = self.tokens(rows_MT).sum(dim=1)
        return sums_MD

    def _convolved(self, words_MW: Tensor) -> Tensor:
        """(M, C) the maximum of each channel over the places of the words.

        A convolution over embeddings is a sum of products with single words, so each word of the vocabulary
        is multiplied once, and not wherever it stands.
        """
        table_HF = self.convolution(self.tokens.weight)
        parts_MWKC = F.embedding(words_MW, table_HF).view(*words_MW.shape, WIDTH, CHANNELS)
        padded_MWKC = F.pad(parts_MWKC, (0, 0, 0, 0, WIDTH // 2, WIDTH // 2))
        count = words_MW.shape[1]
        sums_MWC = sum(padded_MWKC[:, shift : shift + count, shift] for shift in range(WIDTH)) + self.bias
        features_MWC = F.relu(sums_MWC) * (words_MW > 0)[:, :, None]
        return features_MWC.amax(dim=1)

    @torch.no_grad()
    def load_pretrained(self, tokens_MT: Tensor, vectors_MD: Tensor) -> None:
        """Set the embeddings so that the sums of these texts come near to these vectors: a ridge regression,
        by conjugate gradients."""
        matrix_MH = _matrix(self._rows(tokens_MT), num_hashes=self.tokens.num_embeddings)
        matrix_HM = matrix_MH.t().to_sparse_csr()
        rest_HD = matrix_HM @ vectors_MD
        step_HD, found_HD = rest_HD.clone(), torch.zeros_like(rest_HD)
        length_D = rest_HD.pow(2).sum(dim=0)
        for _ in range(ITERATIONS):
            turned_HD = matrix_HM @ (matrix_MH @ step_HD) + RIDGE * step_HD
            rate_D = length_D / (step_HD * turned_HD).sum(dim=0).clamp(min=1e-12)
            found_HD += rate_D * step_HD
            rest_HD -= rate_D * turned_HD
            before_D, length_D = length_D, rest_HD.pow(2).sum(dim=0)
            step_HD = rest_HD + length_D / before_D.clamp(min=1e-12) * step_HD
        self.tokens.weight.copy_(found_HD)


def _scale(rows_MT: Tensor) -> Tensor:
    """(M,) what makes a sum of tokens that go in all directions of the length of one."""
    return (rows_MT > 0).sum(dim=1).clamp(min=1).rsqrt()


def _matrix(rows_MT: Tensor, *, num_hashes: int) -> Tensor:
    """(M, H) sparse: its product with the embeddings (H, D) are the sums of the texts."""
    row, place = torch.nonzero(rows_MT, as_tuple=True)
    values = _scale(rows_MT)[row]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of unchecked indices, and that CSR is in beta
        matrix = torch.sparse_coo_tensor(
            torch.stack([row, rows_MT[row, place].long()]), values, (len(rows_MT), num_hashes)
        )
        return matrix.coalesce().to_sparse_csr()
