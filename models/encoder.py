"""The contract of every neural model.

Every model is two functions into one space, and a score is a dot product:

    hidden_states(history_vectors, event_types, ages, lengths, user) -> (B, L, D)    the query is the last valid state
    item_vectors(items) -> (N, D)

A history goes in as the vectors of its items, so the table of items exists once, outside the exported graph.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, NamedTuple, get_args

import torch
from torch import Tensor, nn

from configs.schema import EncoderConfig, EventType
from models.data_shape import DataShape
from models.item_vectors import ItemTable, ItemTower, build_items

NUM_EVENT_TYPES = len(get_args(EventType))


class UserTensors(NamedTuple):
    """What is known of each user besides the history, as of the moment that a state looks forward from.

    M is L in training, where every position has a moment of its own, and 1 for a query, whose states share
    one.
    """

    numbers: Tensor
    """(B, M, F) float: recency, frequency, money and so on, see
    `features.profiles.user_features.USER_NUMBERS`"""
    codes: Tensor
    """(B, M, A) int64: favourite category, then the user's attributes; 0 is unknown"""


class Encoder(nn.Module):
    """Shapes: B histories, L positions (padded at the end), N items, D width."""

    causal: ClassVar[bool] = True
    """True when no state sees a later position; otherwise only the last state may be trained."""
    reads_user: ClassVar[bool] = False
    """True when `states` needs the user features."""

    def __init__(self, config: EncoderConfig, shape: DataShape) -> None:
        super().__init__()
        self.shape = shape
        self.items: ItemTable | ItemTower = build_items(config, shape)

    @abstractmethod
    def hidden_states(
        self,
        history_vectors: Tensor,
        event_types: Tensor,
        ages: Tensor,
        lengths: Tensor,
        user: UserTensors | None = None,
    ) -> Tensor:
        """(B, L, D) item vectors, (B, L) event type codes, (B, L) days before now, (B,) true lengths → (B, L,
        D) states.

        A causal model may use differences of ages alone, since "now" lies in the future of most positions.
        """

    def item_vectors(self, items: Tensor) -> Tensor:
        """Item indices of any shape (...) → their vectors (..., D)."""
        vectors: Tensor = self.items(items)
        return vectors

    def load_pretrained(self, item_vectors: Tensor, known: Tensor) -> None:
        """Begin with these item vectors (N, D) instead of random ones; `known` (N,) says which of them mean
        something."""
        self.items.load_pretrained(item_vectors, known)

    def reset_item_embeddings(self, unknown: Tensor) -> None:
        """Begin with no more about these items (N, a mask) than what the catalogue says."""
        self.items.reset_item_embeddings(unknown)

    @property
    def members(self) -> tuple[Encoder, ...]:
        """The encoders that have a loss each: this one, or those of an ensemble."""
        return (self,)

    @property
    def item_tower(self) -> ItemTower | None:
        """What gives an item without history a vector, in the models that can."""
        return self.items if isinstance(self.items, ItemTower) else None

    def cold_start_item_vectors(self, codes: Tensor) -> Tensor:
        """Catalogue features (M, G) of items that training never saw → (M, D); for models with an item
        tower."""
        assert self.item_tower is not None
        return self.item_tower.cold_start(codes)

    def query_vectors(
        self,
        history_vectors: Tensor,
        event_types: Tensor,
        ages: Tensor,
        lengths: Tensor,
        user: UserTensors | None = None,
    ) -> Tensor:
        """The last valid state of each history: (B, D)."""
        states_BLD = self.hidden_states(history_vectors, event_types, ages, lengths, user)
        last_B11 = (lengths - 1).view(-1, 1, 1).expand(-1, 1, states_BLD.shape[-1])
        return torch.gather(states_BLD, 1, last_B11).squeeze(1)
