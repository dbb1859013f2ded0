"""GRU4Rec: a recurrent network over the history (Hidasi, Karatzoglou, Baltrunas and Tikk 2016,
arXiv:1511.06939).

The original's ranking losses are replaced by the softmaxes that all models here share: with them it is as
good as its successors (Petrov & Macdonald 2022; Klenitskiy & Vasilev 2023, arXiv:2309.07602).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from configs.schema import EncoderConfig
from models.data_shape import DataShape
from models.dropout import Dropout
from models.encoder import NUM_EVENT_TYPES, Encoder, UserTensors

REMEMBERED = 2.0
"""Bias of the update gate: a share of sigmoid(2) = .88 of the state lives on at each event."""


class GRU4Rec(Encoder):
    """A GRU over item vectors plus kind of event. Order alone counts, ages do not."""

    def __init__(self, config: EncoderConfig, shape: DataShape) -> None:
        super().__init__(config, shape)
        self.event_types = nn.Embedding(NUM_EVENT_TYPES, config.dim)
        self.dropout = Dropout(config.dropout)
        self.gru = nn.GRU(config.dim, config.dim, num_layers=config.num_layers, batch_first=True)
        self.out = nn.Linear(config.dim, config.dim)
        self.norm = nn.LayerNorm(config.dim)
        nn.init.zeros_(self.event_types.weight)
        _start_as_mean(self.gru)
        nn.init.eye_(self.out.weight)

    def hidden_states(
        self,
        history_vectors: Tensor,
        event_types: Tensor,
        ages: Tensor,
        lengths: Tensor,
        user: UserTensors | None = None,
    ) -> Tensor:
        """See `Encoder.hidden_states`. A recurrent state never sees what comes later, padding included."""
        hidden_BLD, _ = self.gru(self.dropout(history_vectors + self.event_types(event_types)))
        states_BLD: Tensor = self.norm(self.out(self.dropout(hidden_BLD)))
        return states_BLD


def _start_as_mean(gru: nn.GRU) -> None:
    """Let the state begin as a fading mean of the history's vectors: gates that hardly look, a candidate that
    is the event.

    With item vectors that already say something (`Encoder.load_pretrained`) the first query is then a
    sensible one.
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
                parameter[dim : 2 * dim].fill_(REMEMBERED)
