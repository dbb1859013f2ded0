"""What needs no training: chance, popularity in the category, and items described alike.

A history is what the encoder reads of it. Shape suffixes: B users of a batch, N items, T terms, C categories.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from benchmarks.published_baselines import Scorer
from features.interactions import Interactions
from features.profiles.content_neighbours import ContentNeighbours
from training.encoder.validation import ValidationBatch


def baselines(
    interactions: Interactions, neighbours: ContentNeighbours, *, warm_N: NDArray[np.bool_], seed: int
) -> Mapping[str, Scorer]:
    """Entrant → its scores, fitted on the events before the split."""
    popularity_N = category_popularity(interactions, warm_N=warm_N)
    generator = torch.Generator().manual_seed(seed)
    general_N = torch.from_numpy(popularity_N / popularity_N.max())
    codes_N = interactions.categories.astype(np.int64) + 1

    def chance(batch: ValidationBatch) -> Tensor:
        return torch.rand(len(batch.users_B), len(warm_N), generator=generator)

    def popular(batch: ValidationBatch) -> Tensor:
        return general_N.repeat(len(batch.users_B), 1)

    def popular_in_own_categories(batch: ValidationBatch) -> Tensor:
        """By the category's share in the history, then by popularity."""
        share_BN = np.stack(
            [
                np.bincount(codes_N[items], minlength=codes_N.max() + 1)[codes_N] / len(items)
                for items in histories(batch)
            ]
        )
        share_BN[:, codes_N == 0] = 0.0
        return torch.from_numpy(share_BN) + 1e-3 * general_N

    def alike(batch: ValidationBatch) -> Tensor:
        """By the sum of the similarities to the items of the history."""
        profiles_BT = sparse.vstack(
            [sparse.csr_array(neighbours.rows[items].sum(axis=0)[None]) for items in histories(batch)]
        )
        return torch.from_numpy((profiles_BT @ neighbours.rows.T).toarray())

    return {
        "random": chance,
        "category_popularity": popular,
        "own_categories": popular_in_own_categories,
        "content_neighbours": alike,
    }


def category_popularity(interactions: Interactions, *, warm_N: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(N,) a warm item's events before the split; for any other item the mean of the warm ones of its
    category, or of all where it has none."""
    counts_N = np.bincount(
        interactions.events.items, weights=interactions.weights, minlength=interactions.num_items
    )
    codes_N = interactions.categories.astype(np.int64) + 1
    sums_C = np.bincount(codes_N, weights=counts_N * warm_N)
    num_C = np.bincount(codes_N, weights=warm_N.astype(np.float64))
    overall = counts_N[warm_N].mean()
    mean_C = np.where(num_C > 0, sums_C / np.maximum(num_C, 1), overall)
    mean_C[0] = overall
    return np.where(warm_N, counts_N, mean_C[codes_N])


def histories(batch: ValidationBatch) -> Iterator[NDArray[np.int64]]:
    """The items of each history of a batch, oldest first."""
    for items_L, length in zip(batch.items_BL.numpy(), batch.lengths_B.tolist(), strict=True):
        yield items_L[:length]
