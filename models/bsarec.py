"""BSARec: self-attention plus a frequency filter (Shin et al. 2024, arXiv:2312.10325), here causal.

The paper's low-pass filter is a Fourier transform of the whole padded history, so each position sees later
ones and every prefix of a history must be a training sample of its own. Here the low-pass filter is a learned
weight for each distance back, initialised to the paper's filter. All positions train in one pass, which costs
a seventh on the Amazon data.

Shape suffixes: B histories, L positions, D width, F frequencies, G groups of channels.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from configs.settings.encoder import EncoderConfig
from models.data_shape import DataShape
from models.dropout import Dropout
from models.encoder import NUM_EVENT_TYPES, Encoder, UserTensors
from models.sasrec import AttentionBlock

LOW_FREQUENCIES = 2
"""Number of low frequencies of a period of `PERIOD` events, besides the mean: the paper's best on Beauty."""
PERIOD = 50
GROUPS = 8
"""Groups of channels with a filter each, initialised alike."""
FILTER_WEIGHT = 0.7
"""Weight of the filter in a block; attention has the rest. The paper's α on the Amazon data."""


class BSARec(Encoder):
    """Causal. Uses the order of events, not their ages."""

    def __init__(self, config: EncoderConfig, shape: DataShape) -> None:
        super().__init__(config, shape)
        self.positions = nn.Embedding(shape.max_length, config.dim)
        self.event_types = nn.Embedding(NUM_EVENT_TYPES, config.dim)
        self.norm = nn.LayerNorm(config.dim)
        self.dropout = Dropout(config.dropout)
        self.blocks = nn.ModuleList(
            FrequencyBlock(config, max_length=shape.max_length) for _ in range(config.num_layers)
        )
        nn.init.normal_(self.positions.weight, std=0.02)
        nn.init.zeros_(self.event_types.weight)  # an event type without training data has no effect

    def hidden_states(
        self,
        history_vectors: Tensor,
        event_types: Tensor,
        ages: Tensor,
        lengths: Tensor,
        user: UserTensors | None = None,
    ) -> Tensor:
        """See `Encoder.hidden_states`. Padding is at the end, where no causal state sees it."""
        positions_L = torch.arange(history_vectors.shape[1], device=history_vectors.device)
        hidden_BLD: Tensor = self.dropout(
            self.norm(history_vectors + self.positions(positions_L) + self.event_types(event_types))
        )
        for block in self.blocks:
            hidden_BLD = block(hidden_BLD)
        return hidden_BLD


class FrequencyBlock(AttentionBlock):
    """Filter and attention in parallel, then a feed-forward network, each with a residual connection and
    post-norm."""

    def __init__(self, config: EncoderConfig, *, max_length: int) -> None:
        super().__init__(config)
        self.filter = CausalFilter(config.dim, max_length=max_length)
        self.filter_norm = nn.LayerNorm(config.dim)
        for linear in (self.query_key_value, self.attention_out, self.network[0], self.network[2]):
            assert isinstance(linear, nn.Linear)
            nn.init.normal_(linear.weight, std=0.02)
            nn.init.zeros_(linear.bias)

    def forward(self, hidden_BLD: Tensor) -> Tensor:
        """(B, L, D) hidden states → (B, L, D)."""
        filtered_BLD = self.filter_norm(hidden_BLD + self.dropout(self.filter(hidden_BLD)))
        attended_BLD = self.attention_norm(hidden_BLD + self.dropout(self._attend(hidden_BLD)))
        mixed_BLD = FILTER_WEIGHT * filtered_BLD + (1 - FILTER_WEIGHT) * attended_BLD
        out_BLD: Tensor = self.network_norm(mixed_BLD + self.dropout(self.network(mixed_BLD)))
        return out_BLD


class CausalFilter(nn.Module):
    """The low-frequency part of a history, plus the rest (its high frequencies) scaled by a learned factor
    per channel."""

    def __init__(self, dim: int, *, max_length: int) -> None:
        super().__init__()
        self.num_groups = math.gcd(GROUPS, dim)
        distance_L1 = torch.arange(max_length, dtype=torch.float32)[:, None]
        waves_LF = torch.cos(2 * math.pi / PERIOD * distance_L1 * torch.arange(1, LOW_FREQUENCIES + 1))
        low_pass_L = (1 + 2 * waves_LF.sum(dim=1)) / PERIOD
        self.low_pass = nn.Parameter(low_pass_L[:, None].repeat(1, self.num_groups))
        self.sqrt_beta = nn.Parameter(torch.randn(dim))

    def forward(self, hidden_BLD: Tensor) -> Tensor:
        """(B, L, D) hidden states → (B, L, D), filtered along L."""
        batch, length, dim = hidden_BLD.shape
        positions_L = torch.arange(length, device=hidden_BLD.device)
        distance_LL = positions_L[:, None] - positions_L
        weights_LLG = self.low_pass[distance_LL.clamp(min=0)] * (distance_LL >= 0)[..., None]
        # (B, L, D) -> (B, G, L, D/G)
        groups = hidden_BLD.view(batch, length, self.num_groups, dim // self.num_groups).transpose(1, 2)
        low_BLD = (weights_LLG.permute(2, 0, 1) @ groups).transpose(1, 2).reshape(batch, length, dim)
        out_BLD: Tensor = low_BLD + self.sqrt_beta**2 * (hidden_BLD - low_BLD)
        return out_BLD
