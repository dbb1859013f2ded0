"""Weighted pooling: a user is the weighted sum of the vectors of their items.

The last coordinate of an item vector holds the log of the item's weight in the sum, so that one table has
both the score vectors and the weights, and the exported graph needs nothing else. It is 0 in a query. With
item vectors from `training.encoder.graph_filter` the untrained model is the ideal low-pass filter of GF-CF
(Shen et al. 2021, arXiv:2108.07567).

Shape suffixes: B histories, L positions, N items, D width, M = D - 1.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from configs.settings.encoder import EncoderConfig
from models.data_shape import DataShape
from models.dropout import Dropout
from models.encoder import NUM_EVENT_TYPES, Encoder, UserTensors


class WeightedPooling(Encoder):
    """A hidden state is the weighted sum of the events so far, times a matrix, scaled to a learned norm.

    The order and the ages of events have no effect.
    """

    def __init__(self, config: EncoderConfig, shape: DataShape) -> None:
        super().__init__(config, shape)
        self.dropout = Dropout(config.dropout)
        self.log_event_type_weight = nn.Embedding(NUM_EVENT_TYPES, 1)
        self.read_out = nn.Linear(config.dim - 1, config.dim - 1, bias=False)
        self.log_norm = nn.Parameter(torch.tensor(math.log(config.dim) / 2))
        """Log of the norm of a hidden state. Initially √D, the norm that a layer norm gives."""
        nn.init.zeros_(self.log_event_type_weight.weight)
        nn.init.eye_(self.read_out.weight)

    def hidden_states(
        self,
        history_vectors: Tensor,
        event_types: Tensor,
        ages: Tensor,
        lengths: Tensor,
        user: UserTensors | None = None,
    ) -> Tensor:
        """See `Encoder.hidden_states`. Ages and user features are not used."""
        log_item_weight_BL1 = history_vectors[..., -1:] * math.sqrt(history_vectors.shape[-1])
        log_weight_BL1 = log_item_weight_BL1 + self.log_event_type_weight(event_types)
        pooled_BLM = (self.dropout(history_vectors[..., :-1]) * log_weight_BL1.exp()).cumsum(dim=1)
        hidden_BLM = F.normalize(self.read_out(pooled_BLM), dim=-1) * self.log_norm.exp()
        return F.pad(hidden_BLM, (0, 1))


def with_weights(vectors_NM: Tensor, log_weight_N: Tensor) -> Tensor:
    """Item vectors (N, D) for `WeightedPooling` from score vectors and the log of the weights in the sum."""
    last_N = log_weight_N / math.sqrt(vectors_NM.shape[1] + 1)
    return torch.cat([vectors_NM, last_N[:, None]], dim=1)
