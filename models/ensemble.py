"""Deep ensemble: the vectors of several encoders, concatenated, so that a score is the sum of their scores.

Each member has its own loss, because members that share one come to depend on each other. Source:
Lakshminarayanan et al. 2017 (arXiv:1612.01474).

Shape suffixes: B histories, L positions, D width of all members together.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from configs.settings.encoder import EncoderConfig
from models.data_shape import DataShape
from models.encoder import Encoder, UserTensors
from models.item_vectors import ItemContent, ItemTower


class Ensemble(Encoder):
    """Index and server see one encoder of `ensemble` times the width."""

    def __init__(
        self,
        config: EncoderConfig,
        shape: DataShape,
        *,
        member: Callable[[EncoderConfig, DataShape], Encoder],
    ) -> None:
        nn.Module.__init__(self)
        self.shape = shape
        self.encoders = nn.ModuleList(member(config, shape) for _ in range(config.ensemble))
        first = self.members[0]
        self.causal, self.reads_user = first.causal, first.reads_user  # type: ignore[misc]

    @property
    def members(self) -> tuple[Encoder, ...]:
        """See `Encoder.members`."""
        return tuple(self.encoders)  # type: ignore[arg-type]

    def item_vectors(self, items: Tensor) -> Tensor:
        """See `Encoder.item_vectors`."""
        return torch.cat([member.item_vectors(items) for member in self.members], dim=-1)

    def load_pretrained(self, item_vectors: Tensor, known: Tensor) -> None:
        """Every member starts from the same item vectors. Their other weights and their dropout differ."""
        for member in self.members:
            member.load_pretrained(item_vectors, known)

    def reset_item_embeddings(self, unknown: Tensor) -> None:
        """See `Encoder.reset_item_embeddings`."""
        for member in self.members:
            member.reset_item_embeddings(unknown)

    @property
    def item_tower(self) -> ItemTower | None:
        """The item tower of the first member; those of the others read the same features."""
        return self.members[0].item_tower

    def cold_start_item_vectors(self, content: ItemContent) -> Tensor:
        """See `Encoder.cold_start_item_vectors`."""
        return torch.cat([member.cold_start_item_vectors(content) for member in self.members], dim=-1)

    def hidden_states(
        self,
        history_vectors: Tensor,
        event_types: Tensor,
        ages: Tensor,
        lengths: Tensor,
        user: UserTensors | None = None,
    ) -> Tensor:
        """See `Encoder.hidden_states`."""
        parts = history_vectors.chunk(len(self.members), dim=-1)
        pairs = zip(self.members, parts, strict=True)
        return torch.cat(
            [member.hidden_states(part_BLD, event_types, ages, lengths, user) for member, part_BLD in pairs],
            dim=-1,
        )
