"""The training step's ablation: every variant trains on the same pairs with the same loss."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.training_step_ablation import VARIANTS, Variant, _last_targets, _plain_softmax
from features.core.columns import EVENT_TYPE_CODE
from features.histories import History
from models.losses import full_softmax
from training.encoder.batches import Events, TrainingBatches

ROOT = Path(__file__).parents[3]


def events() -> Events:
    """Nine users with histories of 2 to 30 events, each a basket of its own."""
    lengths = np.array([2, 3, 3, 5, 8, 13, 21, 30, 4])
    count = int(lengths.sum())
    history = History(
        items=np.random.default_rng(0).integers(0, 500, count).astype(np.int32),
        event_types=np.full(count, EVENT_TYPE_CODE["purchase"], np.int8),
        times=np.arange(count),
        baskets=np.arange(count),
        prices=np.ones(count, np.float32),
    )
    return Events(
        history, np.cumsum(lengths) - lengths, lengths, np.ones(count, np.float32), np.arange(count)
    )


def pairs(variant: Variant) -> Counter[tuple[tuple[int, ...], int]]:
    """(items up to a state, the target) of one epoch, with their counts."""
    found: Counter[tuple[tuple[int, ...], int]] = Counter()
    for complete in variant.batches(events(), max_length=10, batch_tokens=60, seed=1):
        batch = _last_targets(complete) if variant.last_target_only else complete
        width = batch.items_BL.shape[1]
        for state, target in zip(
            batch.states_S[batch.pair_state_P].tolist(), batch.targets_P.tolist(), strict=True
        ):
            row, place = divmod(state, width)
            found[tuple(batch.items_BL[row, : place + 1].tolist()), target] += 1
    return found


@pytest.mark.parametrize(
    "variant",
    [variant for variant in VARIANTS if variant.batches is not TrainingBatches],
    ids=lambda variant: variant.without,
)
def test_other_batches_have_the_same_pairs(variant: Variant) -> None:
    expected = pairs(VARIANTS[0])
    assert len(expected) > 60
    assert pairs(variant) == expected


def test_plain_autograd_is_the_same_loss() -> None:
    generator = torch.Generator().manual_seed(0)
    query, vectors = torch.randn(4, 5, generator=generator), torch.randn(9, 5, generator=generator)
    given = query, torch.arange(4), torch.tensor([3, 0, 8, 8]), vectors
    torch.testing.assert_close(_plain_softmax(*given, pair_weight_P=torch.ones(4)), full_softmax(*given))
