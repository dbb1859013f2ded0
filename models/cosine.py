"""Cosine similarity with a learnable temperature, as a wrapper around any encoder.

All vectors have norm 1, and queries are divided by the temperature, so popular items cannot win by the norm
of their vectors. Sources: NormFace (Wang et al. 2017, arXiv:1704.06369); the learnable temperature is CLIP's
(Radford et al. 2021, arXiv:2103.00020).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.encoder import Encoder, UserTensors
from models.item_vectors import ItemContent, ItemTable, ItemTower

MAX_SCALE = 100.0
"""Upper limit of 1 / temperature: a sharper softmax is unstable."""
INITIAL_NORM = 0.16
"""Initial norm of item vectors. Only their directions matter, and a step of Adam turns a short vector
further. Vectors grow as they turn, which makes later steps smaller."""


class CosineEncoder(Encoder):
    """The dot product of its vectors is cosine / temperature, so index and server need no special case."""

    def __init__(self, inner: Encoder, *, temperature: float) -> None:
        nn.Module.__init__(self)
        self.inner, self.shape = inner, inner.shape
        self.log_scale = nn.Parameter(torch.tensor(-math.log(temperature)))
        self.causal, self.reads_user = inner.causal, inner.reads_user  # type: ignore[misc]
        if isinstance(inner.items, ItemTable):
            with torch.no_grad():
                inner.items.weight.copy_(_with_initial_norm(inner.items.weight))

    def item_vectors(self, items: Tensor) -> Tensor:
        """See `Encoder.item_vectors`. Norm 1."""
        return F.normalize(self.inner.item_vectors(items), dim=-1)

    def load_pretrained(self, item_vectors: Tensor, known: Tensor) -> None:
        """See `Encoder.load_pretrained`. Only the directions matter."""
        self.inner.load_pretrained(_with_initial_norm(item_vectors), known)

    def reset_item_embeddings(self, unknown: Tensor) -> None:
        """See `Encoder.reset_item_embeddings`."""
        self.inner.reset_item_embeddings(unknown)

    @property
    def item_tower(self) -> ItemTower | None:
        """The item tower of the inner encoder."""
        return self.inner.item_tower

    def cold_start_item_vectors(self, content: ItemContent) -> Tensor:
        """See `Encoder.cold_start_item_vectors`. Norm 1."""
        return F.normalize(self.inner.cold_start_item_vectors(content), dim=-1)

    def hidden_states(
        self,
        history_vectors: Tensor,
        event_types: Tensor,
        ages: Tensor,
        lengths: Tensor,
        user: UserTensors | None = None,
    ) -> Tensor:
        """See `Encoder.hidden_states`. Norm 1 / temperature."""
        if self.training:
            with torch.no_grad():  # clamp the parameter itself: a clamped output would stop its gradient
                self.log_scale.clamp_(max=math.log(MAX_SCALE))
        # rescale elements to about 1, the scale of the other inputs of the encoder
        scaled_BLD = history_vectors * math.sqrt(history_vectors.shape[-1])
        hidden_BLD = self.inner.hidden_states(scaled_BLD, event_types, ages, lengths, user)
        return F.normalize(hidden_BLD, dim=-1) * self.log_scale.exp()


def _with_initial_norm(item_vectors_ND: Tensor) -> Tensor:
    return F.normalize(item_vectors_ND, dim=-1) * INITIAL_NORM
