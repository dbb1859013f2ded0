"""An ensemble scores by the sum of its members, and each of them is trained as if it were alone."""

from __future__ import annotations

import pytest
import torch

from configs.settings.encoder import EncoderConfig, TrainingConfig
from models.data_shape import DataShape
from models.encoder import Encoder
from models.factory import build_encoder
from training.encoder.batches import Batch
from training.encoder.module import EncoderModule
from training.encoder.negatives import NegativeSampler

NUM_ITEMS, MAX_LENGTH, DIM = 30, 6, 8


@pytest.fixture
def ensemble() -> Encoder:
    torch.manual_seed(1)
    return build_encoder(EncoderConfig(dim=DIM, dropout=0.0, ensemble=3, normalize=True), shape())


def shape() -> DataShape:
    return DataShape(num_items=NUM_ITEMS, max_length=MAX_LENGTH)


def batch() -> Batch:
    """Four histories, each state of which has the next item for its target."""
    items_BL = torch.randint(1, NUM_ITEMS, (4, MAX_LENGTH), generator=torch.Generator().manual_seed(2))
    states_S = torch.arange(4 * MAX_LENGTH).view(4, MAX_LENGTH)[:, :-1].flatten()
    return Batch(
        items_BL=items_BL,
        event_types_BL=torch.zeros_like(items_BL),
        ages_BL=torch.zeros(items_BL.shape),
        lengths_B=torch.full((4,), MAX_LENGTH),
        states_S=states_S,
        pair_state_P=torch.arange(len(states_S)),
        targets_P=items_BL[:, 1:].flatten(),
        pair_weight_P=torch.ones(len(states_S)),
    )


def loss_of(encoder: Encoder) -> torch.Tensor:
    items = torch.arange(1, NUM_ITEMS)
    sampler = NegativeSampler(items, num_items=NUM_ITEMS, num_negatives=10, popularity_sampling_ratio=0.5)
    known_N = torch.arange(NUM_ITEMS) > 0
    module = EncoderModule(
        encoder, sampler=sampler, known_N=known_N, config=TrainingConfig(loss="full_softmax")
    )
    loss = module.training_step(batch(), 0)
    assert loss is not None
    return loss


@torch.no_grad()
def test_a_score_is_the_sum_of_the_members_scores(ensemble: Encoder) -> None:
    asked, full = batch(), torch.arange(NUM_ITEMS)

    def scores(encoder: Encoder) -> torch.Tensor:
        vectors_BLD = encoder.item_vectors(asked.items_BL)
        query_BD = encoder.query_vectors(vectors_BLD, asked.event_types_BL, asked.ages_BL, asked.lengths_B)
        return query_BD @ encoder.item_vectors(full).T

    apart = [scores(member) for member in ensemble.members]
    assert len(apart) == 3
    assert not torch.allclose(apart[0], apart[1]), "all members are the same"
    torch.testing.assert_close(scores(ensemble), apart[0] + apart[1] + apart[2])


def test_each_member_has_the_gradient_it_would_have_alone(ensemble: Encoder) -> None:
    """Over the size of the ensemble. By a loss of the sum of scores each member's would depend on the
    others."""
    torch.autograd.backward(loss_of(ensemble))
    together = [[weight.grad for weight in member.parameters()] for member in ensemble.members]
    for member, gradients in zip(ensemble.members, together, strict=True):
        member.zero_grad()
        torch.autograd.backward(loss_of(member))
        for weight, gradient in zip(member.parameters(), gradients, strict=True):
            assert weight.grad is not None
            assert gradient is not None
            torch.testing.assert_close(gradient, weight.grad / 3)
