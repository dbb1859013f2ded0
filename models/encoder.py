"""The contract of every neural model, and the one place that makes one from its settings.

Every model is two functions into one space, and a score is a dot product:

    states(history_vectors, kinds, ages, lengths, user) -> (B, L, D)    the query is the last valid state
    item_vectors(items) -> (N, D)

A history goes in as the vectors of its items, so the table of items exists once, outside the exported graph.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, assert_never, get_args

import torch
from torch import Tensor, nn

from configs.schema import EncoderConfig, EventType
from models.items import ItemTable, ItemTower

NUM_KINDS = len(get_args(EventType))


class UserFeatures(NamedTuple):
    """What is known of each user besides the history, as of the moment that a state looks forward from.

    M is L in training, where every position has a moment of its own, and 1 for a query, whose states share one.
    """

    numbers: Tensor
    """(B, M, F) float: recency, frequency, money and so on, see `features.user_features.USER_NUMBERS`"""
    codes: Tensor
    """(B, M, A) int64: favourite category, then the user's attributes; 0 is unknown"""


@dataclass(frozen=True)
class DataShape:
    """What a model must know of the data to be built. Legend: N items, G item features."""

    num_items: int
    max_length: int
    """Longest history, in events"""
    has_times: bool = True
    """False on an ordinal clock, where ages mean nothing."""
    item_codes: Tensor | None = None
    """(N, G) int64 category path, brand and price band of each item; 0 is unknown"""
    item_code_sizes: tuple[int, ...] = ()
    """(G,) codes of each item feature, 0 included"""
    num_user_numbers: int = 0
    user_code_sizes: tuple[int, ...] = ()
    """(A,) codes of each user feature, 0 included"""


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
    def states(
        self, history_vectors: Tensor, kinds: Tensor, ages: Tensor, lengths: Tensor, user: UserFeatures | None = None
    ) -> Tensor:
        """(B, L, D) item vectors, (B, L) event type codes, (B, L) days before now, (B,) true lengths → (B, L, D) states.

        A causal model may use differences of ages alone, since "now" lies in the future of most positions.
        """

    def item_vectors(self, items: Tensor) -> Tensor:
        """Item indices of any shape (...) → their vectors (..., D)."""
        vectors: Tensor = self.items(items)
        return vectors

    def start_from(self, item_vectors: Tensor, known: Tensor) -> None:
        """Begin with these item vectors (N, D) instead of random ones; `known` (N,) says which of them mean something."""
        self.items.start_from(item_vectors, known)

    def forget(self, unknown: Tensor) -> None:
        """Begin with no more about these items (N, a mask) than what the catalogue says."""
        self.items.forget(unknown)

    @property
    def members(self) -> tuple[Encoder, ...]:
        """The encoders that have a loss each: this one, or those of an ensemble."""
        return (self,)

    @property
    def item_tower(self) -> ItemTower | None:
        """What gives an item without history a vector, in the models that can."""
        return self.items if isinstance(self.items, ItemTower) else None

    def vectors_without_history(self, codes: Tensor) -> Tensor:
        """Catalogue features (M, G) of items that training never saw → (M, D); for models with an item tower."""
        assert self.item_tower is not None
        return self.item_tower.without_history(codes)

    def query_vectors(
        self, history_vectors: Tensor, kinds: Tensor, ages: Tensor, lengths: Tensor, user: UserFeatures | None = None
    ) -> Tensor:
        """The last valid state of each history: (B, D)."""
        states_BLD = self.states(history_vectors, kinds, ages, lengths, user)
        last_B11 = (lengths - 1).view(-1, 1, 1).expand(-1, 1, states_BLD.shape[-1])
        return torch.gather(states_BLD, 1, last_B11).squeeze(1)


def build_items(config: EncoderConfig, shape: DataShape) -> ItemTable | ItemTower:
    """The table of items that `encoder.items` names; a tower only where the catalogue says anything."""
    wants_tower = config.model == "two_tower" if config.items == "auto" else config.items == "features"
    is_described = shape.item_codes is not None and any(size > 1 for size in shape.item_code_sizes)
    if not wants_tower or not is_described:
        return ItemTable(shape.num_items, config.dim)
    assert shape.item_codes is not None
    return ItemTower(shape.item_codes, sizes=shape.item_code_sizes, dim=config.dim, id_dropout=config.id_dropout)


def build_encoder(config: EncoderConfig, shape: DataShape) -> Encoder:
    """The model that `encoder.model` names, or an ensemble of it."""
    from models.ensemble import Ensemble

    return Ensemble(config, shape, member=_build_one) if config.ensemble > 1 else _build_one(config, shape)


def _build_one(config: EncoderConfig, shape: DataShape) -> Encoder:
    from models.bsarec import BSARec
    from models.cosine import CosineEncoder
    from models.gru4rec import GRU4Rec
    from models.hstu import HSTU
    from models.sasrec import SASRec
    from models.set_pool import SetPool
    from models.two_tower import TwoTower

    match config.model:
        case "sasrec":
            encoder: Encoder = SASRec(config, shape)
        case "gru4rec":
            encoder = GRU4Rec(config, shape)
        case "hstu":
            encoder = HSTU(config, shape)
        case "bsarec":
            encoder = BSARec(config, shape)
        case "two_tower":
            encoder = TwoTower(config, shape)
        case "set_pool":
            encoder = SetPool(config, shape)
        case _:
            assert_never(config.model)
    return CosineEncoder(encoder, temperature=config.temperature) if config.normalize else encoder
