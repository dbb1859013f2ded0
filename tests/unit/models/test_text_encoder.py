"""The text encoder of the item tower."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from models.text_encoder import TextEncoder

NUM_HASHES = 40
NUM_WORDS = 4
DIM = 6


@pytest.fixture
def encoder() -> TextEncoder:
    """With random weights everywhere, so that every part has an effect."""
    torch.manual_seed(0)
    encoder = TextEncoder(num_hashes=NUM_HASHES, num_words=NUM_WORDS, dim=DIM).eval()
    with torch.no_grad():
        for weight in encoder.parameters():
            weight.add_(torch.randn_like(weight))
        encoder.tokens.weight[0] = 0.0
    return encoder


def texts() -> Tensor:
    """Texts of four words and five trigrams at most; the last one is empty."""
    tokens = torch.randint(1, 2**31 - 1, (7, 9), generator=torch.Generator().manual_seed(3))
    tokens[1, 2:4], tokens[1, 6:] = 0, 0
    tokens[-1] = 0
    return tokens.int()


def test_training_and_serving_compute_the_same(encoder: TextEncoder) -> None:
    """Training takes another way to the sum of the tokens, for speed."""
    serving = encoder(texts())
    torch.testing.assert_close(encoder.train()(texts()), serving)


def test_the_convolution_is_that_of_torch(encoder: TextEncoder) -> None:
    """The plain way: embeddings of the words, a convolution over them, and the maximum of each channel."""
    words = encoder._rows(texts())[:, :NUM_WORDS]
    channels = len(encoder.bias)
    # (K · C, D) -> (C, D, K)
    kernel = encoder.convolution.weight.view(-1, channels, DIM).permute(1, 2, 0)
    plain = torch.nn.functional.conv1d(
        encoder.tokens(words).transpose(1, 2), kernel, encoder.bias, padding="same"
    )
    expected = (plain.relu() * (words > 0)[:, None]).amax(dim=2)
    torch.testing.assert_close(encoder._convolved(words), expected)


def test_the_order_of_words_matters_and_that_of_trigrams_does_not(encoder: TextEncoder) -> None:
    tokens = texts()[:1]
    words_turned, trigrams_turned = tokens.clone(), tokens.clone()
    words_turned[:, :NUM_WORDS] = tokens[:, :NUM_WORDS].flip(1)
    trigrams_turned[:, NUM_WORDS:] = tokens[:, NUM_WORDS:].flip(1)
    assert not torch.allclose(encoder(words_turned), encoder(tokens))
    torch.testing.assert_close(encoder(trigrams_turned), encoder(tokens))


def test_an_empty_text_is_zero(encoder: TextEncoder) -> None:
    found = encoder(texts())
    assert not found[-1].any()
    assert found[:-1].any(dim=1).all()


def test_before_training_it_says_of_a_new_text_what_its_words_say_elsewhere() -> None:
    """Words 1 to 3 stand in texts near to one vector, words 4 to 6 in texts near to another."""
    generator = torch.Generator().manual_seed(1)
    first = torch.rand(200, generator=generator) < 0.5
    tokens = torch.randint(1, 4, (200, 6), generator=generator) + 3 * first.long()[:, None]
    centres = torch.randn(2, DIM, generator=generator)
    vectors = centres[first.long()] + 0.1 * torch.randn(200, DIM, generator=generator)
    encoder = TextEncoder(num_hashes=NUM_HASHES, num_words=NUM_WORDS, dim=DIM).eval()
    assert not encoder(tokens).any()
    encoder.load_pretrained(tokens, vectors)
    new = encoder(torch.tensor([[1, 2, 3, 0, 0, 0], [4, 5, 6, 6, 5, 0], [30, 31, 0, 0, 0, 0]]))
    similarity = torch.cosine_similarity(new[:2, None], centres[None], dim=-1)
    assert similarity.argmax(dim=1).tolist() == [0, 1]
    assert (similarity.diagonal() > 0.9).all()
    assert not new[2].any()  # words of no text that it knows
