"""The contract of every encoder.

An encoder is two functions into one vector space, and a score is a dot product:

    hidden_states(history_vectors, event_types, ages, lengths, user) -> (B, L, D)
    item_vectors(items) -> (N, D)

The query vector is the hidden state of the last event. A history is passed as the vectors of its items, so
that the item table exists once, outside the exported graph.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, NamedTuple, get_args

import torch
from torch import Tensor, nn

from configs.settings.encoder import EncoderConfig
from configs.settings.event_types import EventType
from models.data_shape import DataShape
from models.item_vectors import ItemContent, ItemTable, ItemTower, build_item_embeddings

NUM_EVENT_TYPES = len(get_args(EventType))


class UserTensors(NamedTuple):
    """User features besides the history, as of the moment that a hidden state predicts from.

    M is L in training, where every position has a moment of its own, and 1 for a query, where all positions
    share one.
    """

    numbers: Tensor
    """(B, M, F) float: recency, frequency, monetary value and more, see
    `features.profiles.user_features.USER_NUMBERS`."""
    codes: Tensor
    """(B, M, A) int64 codes of the favourite category and of the user attributes; 0 is unknown."""


class Encoder(nn.Module):
    """Shapes: B histories, L positions (padded at the end), N items, G item features, D width."""

    causal: ClassVar[bool] = True
    """True if no hidden state sees a later position; otherwise only the last one may be trained."""
    reads_user: ClassVar[bool] = False
    """True if `hidden_states` uses the user features."""

    def __init__(self, config: EncoderConfig, shape: DataShape) -> None:
        super().__init__()
        self.shape = shape
        self.items: ItemTable | ItemTower = build_item_embeddings(config, shape)

    @abstractmethod
    def hidden_states(
        self,
        history_vectors: Tensor,
        event_types: Tensor,
        ages: Tensor,
        lengths: Tensor,
        user: UserTensors | None = None,
    ) -> Tensor:
        """(B, L, D) item vectors, (B, L) event type codes, (B, L) ages in days, (B,) lengths without padding
        → (B, L, D) hidden states.

        An age is the time before now, which lies in the future of most positions, so a causal model may use
        only differences of ages.
        """

    def item_vectors(self, items: Tensor) -> Tensor:
        """Item indices of any shape (...) → item vectors (..., D)."""
        vectors: Tensor = self.items(items)
        return vectors

    def load_pretrained(self, item_vectors: Tensor, known: Tensor) -> None:
        """Initialise the item vectors (N, D). `known` (N,) is True for items with training data."""
        self.items.load_pretrained(item_vectors, known)

    def reset_item_embeddings(self, unknown: Tensor) -> None:
        """Reset the id embeddings of these items (N, a mask), which leaves their catalogue features."""
        self.items.reset_item_embeddings(unknown)

    @property
    def members(self) -> tuple[Encoder, ...]:
        """The encoders with a loss of their own: this one, or the members of an ensemble."""
        return (self,)

    @property
    def item_tower(self) -> ItemTower | None:
        """The item tower, which can compute vectors of cold-start items; None for a model without one."""
        return self.items if isinstance(self.items, ItemTower) else None

    def cold_start_item_vectors(self, content: ItemContent) -> Tensor:
        """The content of M items without training data → item vectors (M, D). Needs an item tower."""
        assert self.item_tower is not None
        return self.item_tower.cold_start(content)

    def query_vectors(
        self,
        history_vectors: Tensor,
        event_types: Tensor,
        ages: Tensor,
        lengths: Tensor,
        user: UserTensors | None = None,
    ) -> Tensor:
        """The hidden state of each history's last event: (B, D)."""
        hidden_BLD = self.hidden_states(history_vectors, event_types, ages, lengths, user)
        last_B11 = (lengths - 1).view(-1, 1, 1).expand(-1, 1, hidden_BLD.shape[-1])
        return torch.gather(hidden_BLD, 1, last_B11).squeeze(1)
