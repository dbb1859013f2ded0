"""Cosine similarity with a learnable temperature, round any encoder: all vectors of length 1, queries divided
by it.

Keeps popular items from winning by the length of their vectors alone. Source: Wang et al. 2017 (NormFace,
arXiv:1704.06369); the learnable scale is CLIP's (Radford et al. 2021, arXiv:2103.00020).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.encoder import Encoder, UserTensors
from models.item_vectors import ItemTable, ItemTower

MAX_SCALE = 100.0
"""1 / temperature grows no further: sharper softmaxes are unstable."""


FIRST_LENGTH = 0.16
"""Item vectors begin this long: only their directions count, and the shorter one is, the further a step of
Adam turns it. As they turn they grow, so that the steps become smaller by themselves."""


class CosineEncoder(Encoder):
    """The dot product of its vectors is cosine / temperature, so index and server need not know."""

    def __init__(self, inner: Encoder, *, temperature: float) -> None:
        nn.Module.__init__(self)
        self.inner, self.shape = inner, inner.shape
        self.log_scale = nn.Parameter(torch.tensor(-math.log(temperature)))
        self.causal, self.reads_user = inner.causal, inner.reads_user  # type: ignore[misc]
        if isinstance(inner.items, ItemTable):
            with torch.no_grad():
                inner.items.weight.copy_(_short(inner.items.weight))

    def item_vectors(self, items: Tensor) -> Tensor:
        """See `Encoder.item_vectors`; of length 1."""
        return F.normalize(self.inner.item_vectors(items), dim=-1)

    def load_pretrained(self, item_vectors: Tensor, known: Tensor) -> None:
        """Only the directions count."""
        self.inner.load_pretrained(_short(item_vectors), known)

    def reset_item_embeddings(self, unknown: Tensor) -> None:
        """See `Encoder.reset_item_embeddings`."""
        self.inner.reset_item_embeddings(unknown)

    @property
    def item_tower(self) -> ItemTower | None:
        """The inner encoder's."""
        return self.inner.item_tower

    def cold_start_item_vectors(self, codes: Tensor) -> Tensor:
        """See `Encoder.cold_start_item_vectors`; of length 1."""
        return F.normalize(self.inner.cold_start_item_vectors(codes), dim=-1)

    def hidden_states(
        self,
        history_vectors: Tensor,
        event_types: Tensor,
        ages: Tensor,
        lengths: Tensor,
        user: UserTensors | None = None,
    ) -> Tensor:
        """See `Encoder.hidden_states`; of length 1 / temperature."""
        if self.training:
            with torch.no_grad():  # the parameter itself, so that it can come back
                self.log_scale.clamp_(max=math.log(MAX_SCALE))
        # numbers of about 1, as the encoder's own are: of length 1 an event would be drowned by the mean of
        # the others
        enlarged_BLD = history_vectors * math.sqrt(history_vectors.shape[-1])
        return (
            F.normalize(self.inner.hidden_states(enlarged_BLD, event_types, ages, lengths, user), dim=-1)
            * self.log_scale.exp()
        )


def _short(item_vectors_ND: Tensor) -> Tensor:
    return F.normalize(item_vectors_ND, dim=-1) * FIRST_LENGTH
