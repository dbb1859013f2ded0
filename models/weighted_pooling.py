"""A user as the set of their items: a sum of item vectors, each with a weight of its own.

An item's weight in the sum is the last coordinate of its vector, so that one table says both how an item is
scored and how much it tells, and the graph that serves needs nothing else. A query is 0 there. No user has a
vector of their own. With item vectors from `training.encoder.graph_filter` it is the ideal low-pass filter of
GF-CF (Shen et al. 2021, arXiv:2108.07567) before any training.

Shape suffixes: B histories, L positions, N items, D width, M D - 1.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from configs.schema import EncoderConfig
from models.data_shape import DataShape
from models.dropout import Dropout
from models.encoder import NUM_EVENT_TYPES, Encoder, UserTensors


class WeightedPooling(Encoder):
    """A state is the weighted sum of the events so far, read out by one matrix, of a learned length.

    Neither the order nor the age of events means anything.
    """

    def __init__(self, config: EncoderConfig, shape: DataShape) -> None:
        super().__init__(config, shape)
        self.dropout = Dropout(config.dropout)
        self.log_kind_weight = nn.Embedding(NUM_EVENT_TYPES, 1)
        self.read_out = nn.Linear(config.dim - 1, config.dim - 1, bias=False)
        self.log_length = nn.Parameter(torch.tensor(math.log(config.dim) / 2))
        """Of a state: at first the root of the width, what a norm over the width would leave."""
        nn.init.zeros_(self.log_kind_weight.weight)
        nn.init.eye_(self.read_out.weight)

    def hidden_states(
        self,
        history_vectors: Tensor,
        event_types: Tensor,
        ages: Tensor,
        lengths: Tensor,
        user: UserTensors | None = None,
    ) -> Tensor:
        """See `Encoder.hidden_states`. The ages and the user are not read."""
        log_weight_BL1 = history_vectors[..., -1:] * math.sqrt(
            history_vectors.shape[-1]
        ) + self.log_kind_weight(event_types)
        pooled_BLM = (self.dropout(history_vectors[..., :-1]) * log_weight_BL1.exp()).cumsum(dim=1)
        states_BLM = F.normalize(self.read_out(pooled_BLM), dim=-1) * self.log_length.exp()
        return F.pad(states_BLM, (0, 1))


def with_weights(vectors_NM: Tensor, log_weight_N: Tensor) -> Tensor:
    """Item vectors (N, D) for `SetPool` from what they are scored by and the logarithm of their weights in a
    sum."""
    last_N = log_weight_N / math.sqrt(vectors_NM.shape[1] + 1)
    return torch.cat([vectors_NM, last_N[:, None]], dim=1)
