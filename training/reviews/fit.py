"""Fits the sentiment network to labelled reviews, and makes its answers probabilities.

Shapes: M reviews, L places, G kinds of n-gram.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from configs.console import progress
from features.profiles.due_model import logistic_regression
from models.sentiment import SentimentNetwork

BATCH: Final = 64
EPOCHS: Final = 3
"""Of many reviews. More learn them by heart."""
LEAST_STEPS: Final = 400
"""Few reviews are seen more often: as many steps …"""
MAX_EPOCHS: Final = 40
"""… but no more epochs."""
LEARNING_RATE: Final = 2e-3
WEIGHT_DECAY: Final = 0.01
SMOOTHING: Final = 0.05
"""Labels are this much less than sure: ratings are wrong now and then."""
ALIKE: Final = 50
"""Batches whose reviews are sorted by length together, so that little is padding"""
ASKED_AT_ONCE: Final = 256

Tokens = NDArray[np.int32]
"""(M, L, G), see `features.reviews.review_tokens`"""


@dataclass(frozen=True)
class Labelled:
    """Reviews whose writers said whether they are content."""

    tokens: Tokens
    """(M, L, G)"""
    labels: NDArray[np.bool_]
    """(M,) true: content"""

    def take(self, which: NDArray[np.int64] | NDArray[np.bool_]) -> Labelled:
        """Some of them."""
        return Labelled(self.tokens[which], self.labels[which])

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(M,) tokens of each"""
        found: NDArray[np.int64] = (self.tokens[:, :, 0] > 0).sum(axis=1)
        return found


def fit_sentiment(train: Labelled, validation: Labelled, *, seed: int = 0) -> SentimentNetwork:
    """The network of the epoch with the smallest loss on `validation`, with its log-odds scaled there (Platt
    1999), ready to be asked. The same seed gives the same network on the same machine."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = SentimentNetwork()
        best = _best_weights(network, train, validation, seed=seed)
    network.load_state_dict(best)
    network.eval()
    _calibrate(network, validation)
    return network


def _best_weights(
    network: SentimentNetwork, train: Labelled, validation: Labelled, *, seed: int
) -> dict[str, torch.Tensor]:
    chance = np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=True
    )
    batches = -(-len(train.labels) // BATCH)
    epochs = min(max(EPOCHS, -(-LEAST_STEPS // batches)), MAX_EPOCHS)
    steps = epochs * batches
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=LEARNING_RATE, total_steps=steps + 1, pct_start=0.1
    )
    best, smallest = network.state_dict(), np.inf
    with progress("learning what content customers write", total=steps) as work:
        for _ in range(epochs):
            network.train()
            for rows in _batches(train.lengths, chance):
                tokens, labels = train.tokens[rows], train.labels[rows]
                optimizer.zero_grad()
                target = torch.from_numpy(labels * (1 - SMOOTHING) + SMOOTHING / 2).float()
                loss = F.binary_cross_entropy_with_logits(network(_cut(tokens)), target)
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
                work.advance(note=f"loss {loss.item():.3f}")
            odds = log_odds(network, validation.tokens)
            found = _log_loss(odds, validation.labels)
            if found < smallest:
                smallest = found
                best = {name: value.clone() for name, value in network.state_dict().items()}
    return best


def _batches(lengths: NDArray[np.int64], chance: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Rows of each batch, each review once."""
    order = chance.permutation(len(lengths))
    for start in range(0, len(order), BATCH * ALIKE):
        part = order[start : start + BATCH * ALIKE]
        part = part[np.argsort(lengths[part], kind="stable")]
        batches = [part[place : place + BATCH] for place in range(0, len(part), BATCH)]
        for number in chance.permutation(len(batches)).tolist():
            yield batches[number]


def _cut(tokens_MLG: Tokens) -> torch.Tensor:
    """(M, L, G) without the places that are padding in all of them."""
    longest = max(int((tokens_MLG[:, :, 0] > 0).sum(axis=1).max(initial=0)), 1)
    return torch.from_numpy(tokens_MLG[:, :longest])


def log_odds(network: SentimentNetwork, tokens_MLG: Tokens) -> NDArray[np.float64]:
    """(M,) of being content."""
    network.eval()
    order = np.argsort((tokens_MLG[:, :, 0] > 0).sum(axis=1), kind="stable")
    found = np.zeros(len(tokens_MLG))
    with torch.no_grad():
        for start in range(0, len(order), ASKED_AT_ONCE):
            rows = order[start : start + ASKED_AT_ONCE]
            found[rows] = network(_cut(tokens_MLG[rows])).double().numpy()
    return found


def _calibrate(network: SentimentNetwork, validation: Labelled) -> None:
    """Scale and shift the log-odds so that they are as sure as they are right on `validation`."""
    odds = log_odds(network, validation.tokens)
    columns = np.stack([np.ones(len(odds)), odds], axis=1)
    shift, scale = logistic_regression(columns, validation.labels, prior=np.array([0.0, 1.0]))
    network.scale.fill_(max(float(scale), 0.05))
    network.shift.fill_(float(shift))


def _log_loss(odds: NDArray[np.float64], labels: NDArray[np.bool_]) -> float:
    return float(np.mean(np.logaddexp(0, odds) - odds * labels))
