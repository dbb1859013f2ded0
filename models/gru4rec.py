"""GRU4Rec: a recurrent network over the history (Hidasi et al. 2016, arXiv:1511.06939).

The losses are those of all models here instead of the original ranking losses: with a softmax loss it matches
its successors (Petrov & Macdonald 2022; Klenitskiy & Vasilev 2023, arXiv:2309.07602).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from configs.settings.encoder import EncoderConfig
from models.data_shape import DataShape
from models.dropout import Dropout
from models.encoder import NUM_EVENT_TYPES, Encoder, UserTensors

UPDATE_GATE_BIAS = 2.0
"""Initially each event keeps sigmoid(2) = .88 of the state."""


class GRU4Rec(Encoder):
    """A GRU over item vectors plus event types. Uses the order of events, not their ages."""

    def __init__(self, config: EncoderConfig, shape: DataShape) -> None:
        super().__init__(config, shape)
        self.event_types = nn.Embedding(NUM_EVENT_TYPES, config.dim)
        self.dropout = Dropout(config.dropout)
        self.gru = nn.GRU(config.dim, config.dim, num_layers=config.num_layers, batch_first=True)
        self.out = nn.Linear(config.dim, config.dim)
        self.norm = nn.LayerNorm(config.dim)
        nn.init.zeros_(self.event_types.weight)
        _init_as_moving_average(self.gru)
        nn.init.eye_(self.out.weight)

    def hidden_states(
        self,
        history_vectors: Tensor,
        event_types: Tensor,
        ages: Tensor,
        lengths: Tensor,
        user: UserTensors | None = None,
    ) -> Tensor:
        """See `Encoder.hidden_states`. A recurrent state never sees later positions, padding included."""
        recurrent_BLD, _ = self.gru(self.dropout(history_vectors + self.event_types(event_types)))
        hidden_BLD: Tensor = self.norm(self.out(self.dropout(recurrent_BLD)))
        return hidden_BLD


def _init_as_moving_average(gru: nn.GRU) -> None:
    """Initialise the state as a moving average of the history: constant gates, the event as the candidate.

    With pretrained item vectors (`Encoder.load_pretrained`) the initial queries are then useful.
    """
    dim = gru.hidden_size
    with torch.no_grad():
        for name, parameter in gru.named_parameters():  # rows: reset gate, update gate, candidate
            if name.startswith("bias"):
                parameter.zero_()
            else:
                parameter.mul_(0.1)
            if name.startswith("weight_ih"):
                parameter[2 * dim :].copy_(torch.eye(dim))
            if name.startswith("bias_ih"):
                parameter[dim : 2 * dim].fill_(UPDATE_GATE_BIAS)
