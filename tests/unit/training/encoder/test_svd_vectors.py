from __future__ import annotations

import torch

from training.encoder.svd_vectors import svd_item_vectors

HALF = 5
NUM_ITEMS = 2 * HALF


def purchases() -> tuple[torch.Tensor, torch.Tensor]:
    """(users, items): even users buy from the first half of the items, odd ones from the second; item 9 is in
    no basket."""
    generator = torch.Generator().manual_seed(0)
    users = torch.arange(40).repeat_interleave(12)
    items = torch.randint(HALF, (len(users),), generator=generator) + HALF * (users % 2)
    kept = items != NUM_ITEMS - 1
    return users[kept], items[kept]


def test_items_of_the_same_buyers_start_close_together() -> None:
    users, items = purchases()
    vectors = svd_item_vectors(users, items, torch.ones(len(users)), num_items=NUM_ITEMS, dim=2, seed=0)
    similarity = torch.nn.functional.cosine_similarity(vectors[:, None], vectors[None], dim=2)
    bought = slice(0, NUM_ITEMS - 1)
    same_half = (torch.arange(NUM_ITEMS) < HALF)[:, None] == (torch.arange(NUM_ITEMS) < HALF)[None]
    assert similarity[bought, bought][same_half[bought, bought]].min() > 0.8
    assert similarity[bought, bought][~same_half[bought, bought]].abs().max() < 0.2
    assert vectors[NUM_ITEMS - 1].norm() < 0.1 < vectors[bought].norm(dim=1).min()


def test_an_event_of_weight_two_says_as_much_as_two_events() -> None:
    users, items = purchases()
    twice = torch.cat([users, users[:50]]), torch.cat([items, items[:50]])
    weights = torch.ones(len(users))
    weights[:50] = 2
    weighted = svd_item_vectors(users, items, weights, num_items=NUM_ITEMS, dim=2, seed=0)
    assert torch.equal(
        weighted, svd_item_vectors(*twice, torch.ones(len(twice[0])), num_items=NUM_ITEMS, dim=2, seed=0)
    )
    assert not torch.equal(
        weighted, svd_item_vectors(users, items, torch.ones(len(users)), num_items=NUM_ITEMS, dim=2, seed=0)
    )


def test_a_width_beyond_the_rank_is_filled_and_a_seed_gives_the_same_vectors() -> None:
    users, items = purchases()
    vectors = svd_item_vectors(users, items, torch.ones(len(users)), num_items=NUM_ITEMS, dim=64, seed=3)
    assert vectors.shape == (NUM_ITEMS, 64)
    assert torch.isfinite(vectors).all()
    assert (vectors.std(dim=0) > 0).all()
    assert torch.equal(
        vectors, svd_item_vectors(users, items, torch.ones(len(users)), num_items=NUM_ITEMS, dim=64, seed=3)
    )
