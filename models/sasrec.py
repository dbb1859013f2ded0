"""SASRec: causal self-attention over the history (Kang & McAuley 2018, arXiv:1808.09781), here with pre-norm.

Shape suffixes: B histories, L positions, D width, H heads, N items.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from configs.settings.encoder import EncoderConfig
from models.data_shape import DataShape
from models.dropout import Dropout
from models.encoder import NUM_EVENT_TYPES, Encoder, UserTensors


class SASRec(Encoder):
    """Causal attention over item vectors plus positions and event types. Ages are not used."""

    def __init__(self, config: EncoderConfig, shape: DataShape) -> None:
        super().__init__(config, shape)
        self.positions = nn.Embedding(shape.max_length, config.dim)
        self.event_types = nn.Embedding(NUM_EVENT_TYPES, config.dim)
        self.dropout = Dropout(config.dropout)
        self.blocks = nn.ModuleList(AttentionBlock(config) for _ in range(config.num_layers))
        self.norm = nn.LayerNorm(config.dim)
        nn.init.normal_(self.positions.weight, std=0.02)
        nn.init.zeros_(self.event_types.weight)  # an event type without training data has no effect
        _init_as_mean(self.blocks[0])

    def hidden_states(
        self,
        history_vectors: Tensor,
        event_types: Tensor,
        ages: Tensor,
        lengths: Tensor,
        user: UserTensors | None = None,
    ) -> Tensor:
        """See `Encoder.hidden_states`. Padding is at the end, so the causal mask excludes it."""
        positions_L = torch.arange(history_vectors.shape[1], device=history_vectors.device)
        hidden_BLD = self.dropout(
            history_vectors + self.positions(positions_L) + self.event_types(event_types)
        )
        for block in self.blocks:
            hidden_BLD = block(hidden_BLD)
        normed_BLD: Tensor = self.norm(hidden_BLD)
        return normed_BLD


class AttentionBlock(nn.Module):
    """Pre-norm causal attention, then a feed-forward network, each with dropout and a residual connection.

    There is no dropout on attention weights or inside the network: its random numbers took 38 % of a CPU
    step, and CPUs have no fused kernel for attention with dropout.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.num_heads = config.num_heads
        self.attention_norm, self.network_norm = nn.LayerNorm(config.dim), nn.LayerNorm(config.dim)
        self.query_key_value = nn.Linear(config.dim, 3 * config.dim)
        self.attention_out = nn.Linear(config.dim, config.dim)
        self.network = nn.Sequential(
            nn.Linear(config.dim, 4 * config.dim), nn.GELU(), nn.Linear(4 * config.dim, config.dim)
        )
        self.dropout = Dropout(config.dropout)

    def forward(self, hidden_BLD: Tensor) -> Tensor:
        """(B, L, D) hidden states → (B, L, D)."""
        hidden_BLD = hidden_BLD + self.dropout(self._attend(self.attention_norm(hidden_BLD)))
        out_BLD: Tensor = hidden_BLD + self.dropout(self.network(self.network_norm(hidden_BLD)))
        return out_BLD

    def _attend(self, hidden_BLD: Tensor) -> Tensor:
        batch, length, dim = hidden_BLD.shape
        # (B, L, 3D) -> 3 x (B, H, L, D/H)
        heads = self.query_key_value(hidden_BLD).view(batch, length, 3, self.num_heads, dim // self.num_heads)
        query_BHLK, key_BHLK, value_BHLK = heads.permute(2, 0, 3, 1, 4).unbind(0)
        attended_BHLK = F.scaled_dot_product_attention(query_BHLK, key_BHLK, value_BHLK, is_causal=True)
        out_BLD: Tensor = self.attention_out(attended_BHLK.transpose(1, 2).reshape(batch, length, dim))
        return out_BLD


def _init_as_mean(block: nn.Module) -> None:
    """Initialise a block's attention close to the mean of the history, and its network close to 0.

    With pretrained item vectors (`Encoder.load_pretrained`) the initial queries are then useful.
    """
    assert isinstance(block, AttentionBlock)
    dim = block.attention_out.weight.shape[0]
    with torch.no_grad():
        block.query_key_value.weight[: 2 * dim].mul_(0.3)
        block.query_key_value.weight[2 * dim :].copy_(torch.eye(dim))
        block.query_key_value.bias.zero_()
        nn.init.eye_(block.attention_out.weight)
        nn.init.zeros_(block.attention_out.bias)
        last = block.network[-1]
        assert isinstance(last, nn.Linear)
        last.weight.mul_(0.1)
