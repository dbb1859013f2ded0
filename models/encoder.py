"""The contract of every neural model, and the one place that makes one from its settings.

Every model is two functions into one space, and a score is a dot product:

    states(history_vectors, kinds, ages, lengths, user_features) -> (B, L, D)    the query is the last valid state
    item_vectors(items) -> (N, D)

A history goes in as the vectors of its items, so the table of items exists once, outside the exported graph.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from configs.schema import EncoderConfig


class Encoder(nn.Module):
    """Shapes: B histories, L positions (padded at the end), N items, D width, U user features."""

    causal: ClassVar[bool]
    """True when no state sees a later position; otherwise only the last state may be trained."""

    @abstractmethod
    def states(
        self, history_vectors: Tensor, kinds: Tensor, ages: Tensor, lengths: Tensor, user_features: Tensor | None = None
    ) -> Tensor:
        """(B, L, D) item vectors, (B, L) event type codes, (B, L) days before now, (B,) true lengths → (B, L, D) states.

        A causal model may use differences of ages alone, since "now" lies in the future of most positions.
        """

    @abstractmethod
    def item_vectors(self, items: Tensor) -> Tensor:
        """Item indices of any shape (...) → their vectors (..., D)."""

    @abstractmethod
    def start_from(self, item_vectors: Tensor) -> None:
        """Begin with these item vectors (N, D) instead of random ones."""

    def query_vectors(self, history_vectors: Tensor, kinds: Tensor, ages: Tensor, lengths: Tensor) -> Tensor:
        """The last valid state of each history: (B, D)."""
        states_BLD = self.states(history_vectors, kinds, ages, lengths)
        last_B11 = (lengths - 1).view(-1, 1, 1).expand(-1, 1, states_BLD.shape[-1])
        return torch.gather(states_BLD, 1, last_B11).squeeze(1)


def build_encoder(config: EncoderConfig, *, num_items: int, max_length: int) -> Encoder:
    """The model that `encoder.model` names."""
    from models.sasrec import SASRec

    match config.model:
        case "sasrec":
            return SASRec(config, num_items=num_items, max_length=max_length)
