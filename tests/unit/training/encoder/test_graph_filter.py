"""Initial vectors and weighted pooling against the ideal low-pass filter of GF-CF, with dense matrices."""

from __future__ import annotations

import pytest
import torch

from configs.settings.encoder import EncoderConfig
from models.data_shape import DataShape
from models.factory import build_encoder
from training.encoder.graph_filter import POWER, SHIFT, graph_filter_item_vectors

NUM_USERS, NUM_ITEMS = 30, 14


def purchases() -> tuple[torch.Tensor, torch.Tensor]:
    """(users, items), some twice; item 13 has no purchases."""
    generator = torch.Generator().manual_seed(0)
    users = torch.arange(NUM_USERS).repeat_interleave(6)
    return users, torch.randint(NUM_ITEMS - 1, (len(users),), generator=generator)


def dense() -> torch.Tensor:
    users, items = purchases()
    matrix = torch.zeros(NUM_USERS, NUM_ITEMS)
    matrix[users, items] = 1.0
    return matrix


def test_vectors_span_the_smoothest_signals_and_grow_with_the_degree() -> None:
    """At full rank V V' is the identity over known items, so that a vector's length is the degree's power, up
    to one factor."""
    vectors = graph_filter_item_vectors(*purchases(), num_items=NUM_ITEMS, dim=NUM_ITEMS, seed=0)[:, :-1]
    degree = dense().sum(dim=0)
    assert (vectors[-1] == 0).all()
    gram = vectors[:-1] @ vectors[:-1].T
    lengths = gram.diagonal().sqrt()
    torch.testing.assert_close(gram, torch.diag(gram.diagonal()), atol=1e-5, rtol=0)
    expected = (degree[:-1] + SHIFT).pow(POWER)
    torch.testing.assert_close(lengths / lengths[0], expected / expected[0], rtol=1e-4, atol=1e-4)


def test_a_narrow_space_is_that_of_the_first_singular_vectors() -> None:
    """Where the spectrum has a gap: three groups of users and items that share nothing."""
    users, items = (
        torch.arange(30).repeat_interleave(4),
        torch.arange(120) % 4 + 4 * (torch.arange(120) // 40),
    )
    vectors = graph_filter_item_vectors(users, items, num_items=12, dim=4, seed=1)[:, :-1]
    same = (torch.arange(12) // 4)[:, None] == (torch.arange(12) // 4)[None]
    similarity = torch.nn.functional.cosine_similarity(vectors[:, None], vectors[None], dim=2)
    torch.testing.assert_close(similarity, same.float(), atol=1e-3, rtol=0)


def test_before_any_training_the_model_ranks_as_the_filter_does() -> None:
    """Scores of `weighted_pooling` are those of R I^-P V V' I^P, row by row up to a factor."""
    matrix = dense()[:, :-1]
    degree = matrix.sum(dim=0)
    width = 6
    vectors = graph_filter_item_vectors(*purchases(), num_items=NUM_ITEMS, dim=width, seed=0)
    encoder = build_encoder(
        EncoderConfig(model="weighted_pooling", dim=width, num_heads=1),
        DataShape(num_items=NUM_ITEMS, max_length=20, has_times=False),
    ).eval()
    encoder.load_pretrained(vectors, torch.arange(NUM_ITEMS) < NUM_ITEMS - 1)
    scored_by = vectors[:-1, :-1]
    expected = (matrix * (degree + SHIFT).pow(-2 * POWER)) @ scored_by @ scored_by.T
    for user in range(NUM_USERS):
        items = torch.nonzero(matrix[user]).T
        with torch.no_grad():
            query = encoder.query_vectors(
                encoder.item_vectors(items),
                torch.full_like(items, 8),
                torch.zeros(items.shape),
                torch.tensor([items.shape[1]]),
            )
            scores = (query @ encoder.item_vectors(torch.arange(NUM_ITEMS - 1)).T)[0]
        torch.testing.assert_close(
            scores / scores.norm(), expected[user] / expected[user].norm(), rtol=1e-4, atol=1e-5
        )


def test_an_item_that_stands_twice_counts_once_and_a_seed_gives_the_same_vectors() -> None:
    users, items = purchases()
    size = {"num_items": NUM_ITEMS, "dim": 5}
    once = graph_filter_item_vectors(users, items, **size, seed=3)
    assert torch.equal(
        graph_filter_item_vectors(torch.cat([users, users]), torch.cat([items, items]), **size, seed=3), once
    )
    assert not torch.equal(graph_filter_item_vectors(users, items, **size, seed=4), once)


@pytest.mark.parametrize("dim", [2, 64])
def test_any_width_is_filled_with_finite_numbers(dim: int) -> None:
    vectors = graph_filter_item_vectors(*purchases(), num_items=NUM_ITEMS, dim=dim, seed=0)
    assert vectors.shape == (NUM_ITEMS, dim)
    assert torch.isfinite(vectors).all()
    assert (vectors.std(dim=0) > 0).sum() >= dim - 1, (
        "only the direction of the item without purchases may be empty"
    )
    assert vectors[:, :-1].norm(dim=1).mean() == pytest.approx(1.0)
