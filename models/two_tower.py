"""Two-tower model: a user tower over the history, pooled by attention, and user features; an item tower over
the id and catalogue features.

Sources: Covington et al. 2016 (doi:10.1145/2959100.2959190) for users as pooled histories; Yi et al. 2019
(doi:10.1145/3298689.3346996) for the towers and the logQ correction. Pooling by importance and age is ours.

Shape suffixes: B histories, L positions, M moments (L or 1), D width, H heads, K width of a head.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from configs.settings.encoder import EncoderConfig
from models.data_shape import DataShape
from models.dropout import Dropout
from models.encoder import NUM_EVENT_TYPES, Encoder, UserTensors

HOURS_PER_DAY = 24.0


class TwoTower(Encoder):
    """A hidden state is the weighted mean of the events so far, plus the user features, then a network.

    The logit of an event's weight is its importance (by item and event type) minus a learned rate times the
    logarithm of its age, so a head may attend to the last visit or to the whole history. The order of events
    of the same age has no effect.
    """

    reads_user: ClassVar[bool] = True

    def __init__(self, config: EncoderConfig, shape: DataShape) -> None:
        super().__init__(config, shape)
        dim, self.num_heads = config.dim, config.num_heads
        self.event_types = nn.Embedding(NUM_EVENT_TYPES, dim)
        self.dropout = Dropout(config.dropout)
        self.history_norm = nn.LayerNorm(dim)
        self.importance = nn.Linear(dim, config.num_heads)
        self.age_decay = nn.Parameter(torch.linspace(0.0, 1.0, config.num_heads)) if shape.has_times else None
        self.value = nn.Linear(dim, dim)
        self.user_numbers = nn.Linear(shape.num_user_numbers, dim) if shape.num_user_numbers else None
        self.user_codes = nn.ModuleList(nn.Embedding(size, dim) for size in shape.user_code_sizes)
        self.layers = nn.ModuleList(_Residual(dim, config.dropout) for _ in range(config.num_layers))
        self.norm = nn.LayerNorm(dim)
        nn.init.zeros_(self.event_types.weight)
        nn.init.eye_(self.value.weight)  # so the initial query is the mean of pretrained item vectors
        nn.init.zeros_(self.value.bias)
        for table in self.user_codes.parameters():
            nn.init.zeros_(table)
        if self.user_numbers is not None:
            # features have the scale of the data: with random weights they would dominate the history
            nn.init.zeros_(self.user_numbers.weight)

    def hidden_states(
        self,
        history_vectors: Tensor,
        event_types: Tensor,
        ages: Tensor,
        lengths: Tensor,
        user: UserTensors | None = None,
    ) -> Tensor:
        """See `Encoder.hidden_states`. Without `user`, the hidden states depend on the history only."""
        batch, length, dim = history_vectors.shape
        events_BLD = self.dropout(history_vectors + self.event_types(event_types))
        weights_BHLL = self._weights(self.importance(self.history_norm(events_BLD)), ages)
        # (B, L, D) -> (B, H, L, K)
        value_BHLK = (
            self.value(events_BLD).view(batch, length, self.num_heads, dim // self.num_heads).transpose(1, 2)
        )
        hidden_BLD = (weights_BHLL @ value_BHLK).transpose(1, 2).reshape(batch, length, dim)
        if user is not None:
            hidden_BLD = hidden_BLD + self._user_vectors(user)
        for layer in self.layers:
            hidden_BLD = layer(hidden_BLD)
        normed_BLD: Tensor = self.norm(hidden_BLD)
        return normed_BLD

    def _weights(self, importance_BLH: Tensor, ages_BL: Tensor) -> Tensor:
        """(B, H, L, L): attention weight of event j ≤ l in the hidden state at l; each row sums to 1."""
        length = ages_BL.shape[1]
        logits_BHLL = importance_BLH.transpose(1, 2).unsqueeze(2).expand(-1, -1, length, -1)
        if self.age_decay is not None:
            hours_BLL = (ages_BL[:, None, :] - ages_BL[:, :, None]).clamp(min=0) * HOURS_PER_DAY
            logits_BHLL = logits_BHLL - self.age_decay.view(1, -1, 1, 1) * torch.log1p(hours_BLL).unsqueeze(1)
        positions_L = torch.arange(length, device=ages_BL.device)
        return logits_BHLL.masked_fill(positions_L > positions_L[:, None], -torch.inf).softmax(dim=-1)

    def _user_vectors(self, user: UserTensors) -> Tensor:
        parts_BMD = [table(code) for table, code in zip(self.user_codes, user.codes.unbind(-1), strict=True)]
        if self.user_numbers is not None:
            parts_BMD.append(self.user_numbers(user.numbers))
        return torch.stack(parts_BMD).sum(dim=0)


class _Residual(nn.Module):
    """A pre-norm feed-forward network with dropout and a residual connection, initialised to 0."""

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.network = nn.Sequential(
            nn.LayerNorm(dim), nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim)
        )
        self.dropout = Dropout(dropout)
        for parameter in self.network[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, hidden_BLD: Tensor) -> Tensor:
        out_BLD: Tensor = hidden_BLD + self.dropout(self.network(hidden_BLD))
        return out_BLD
