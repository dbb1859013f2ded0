"""The sentiment network."""

from __future__ import annotations

import torch

from models.sentiment import SentimentNetwork


def network() -> SentimentNetwork:
    torch.manual_seed(0)
    found = SentimentNetwork(num_hashes=512, dim=8, channels=4)
    torch.nn.init.normal_(found.weights.weight)
    with torch.no_grad():
        found.weights.weight[0] = 0
    return found.eval()


def test_padding_and_the_rest_of_a_batch_change_nothing() -> None:
    model = network()
    tokens = torch.randint(1, 2**31 - 1, (3, 12, 4), dtype=torch.int32)
    tokens[1, 5:] = 0
    tokens[2, 1:] = 0
    together = model(torch.nn.functional.pad(tokens, (0, 0, 0, 9)))
    alone = torch.cat([model(tokens[:1]), model(tokens[1:2, :5]), model(tokens[2:, :1])])
    assert torch.allclose(together, alone, atol=1e-5)


def test_the_order_of_words_counts() -> None:
    model = network()
    tokens = torch.randint(1, 2**31 - 1, (1, 12, 4), dtype=torch.int32)
    assert (model(tokens) - model(tokens.flip(1))).abs().item() > 1e-3
