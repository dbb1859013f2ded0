"""Item embeddings: a table by id, or a tower over the id and the catalogue features.

Shape suffixes: N items, D width, G item features, U distinct items of a call.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from configs.settings.encoder import EncoderConfig
from models.data_shape import DataShape


class ItemTable(nn.Embedding):
    """One free vector per item: indices (...) → (..., D)."""

    def __init__(self, num_items: int, dim: int) -> None:
        super().__init__(num_items, dim)
        nn.init.normal_(self.weight, std=dim**-0.5)

    @property
    def ids(self) -> nn.Embedding:
        """The embedding with one row per item."""
        return self

    def load_pretrained(self, item_vectors_ND: Tensor, known_N: Tensor) -> None:
        """See `Encoder.load_pretrained`."""
        with torch.no_grad():
            self.weight.copy_(item_vectors_ND)

    def reset_item_embeddings(self, unknown_N: Tensor) -> None:
        """See `Encoder.reset_item_embeddings`. Does nothing: there are no features to fall back on."""


class ItemTower(nn.Module):
    """The sum of the embeddings of an item's id and features (category path, brand, price band), plus a small
    network over it.

    In training the id of some items is dropped, as in DropoutNet (Volkovs et al. 2017), so that the features
    alone give a useful vector for a cold-start item.
    """

    codes_NG: Tensor

    def __init__(self, codes_NG: Tensor, *, sizes: tuple[int, ...], dim: int, id_dropout: float) -> None:
        super().__init__()
        self.register_buffer("codes_NG", codes_NG, persistent=False)
        self.ids = nn.Embedding(len(codes_NG), dim)
        self.features = nn.ModuleList(nn.Embedding(size, dim) for size in sizes)
        self.mix = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, dim))
        self.sizes, self.id_dropout = sizes, id_dropout
        nn.init.normal_(self.ids.weight, std=dim**-0.5)
        for parameter in (*self.features.parameters(), *self.mix[-1].parameters()):
            nn.init.zeros_(parameter)  # a code without training data and the untrained network have no effect

    def forward(self, items: Tensor) -> Tensor:
        """Indices (...) → (..., D). Each distinct item is computed once."""
        distinct_U, inverse = torch.unique(items, return_inverse=True)
        ids_UD = self.ids(distinct_U)
        if self.training and self.id_dropout:
            ids_UD = ids_UD * (torch.rand_like(ids_UD[:, :1]) >= self.id_dropout)
        vectors: Tensor = self._mixed(ids_UD + self._feature_sum(self.codes_NG[distinct_U]))[inverse]
        return vectors

    def cold_start(self, codes: Tensor) -> Tensor:
        """Feature codes (M, G) of items without training data → (M, D)."""
        return self._mixed(self._feature_sum(codes))

    def load_pretrained(self, item_vectors_ND: Tensor, known_N: Tensor) -> None:
        """Set each feature's embeddings to the mean residual of the known items with that code, feature by
        feature, and the id embeddings to what remains.

        The sum is then exact for known items; the others start from their features.
        """
        rest_ND = item_vectors_ND * known_N[:, None]
        with torch.no_grad():
            for table_VD, codes_N in zip(self.features.parameters(), self.codes_NG.unbind(1), strict=True):
                totals_VD = torch.zeros_like(table_VD).index_add_(0, codes_N, rest_ND)
                num_known_V = torch.bincount(codes_N[known_N], minlength=len(table_VD))
                table_VD.copy_(totals_VD / num_known_V.clamp(min=1)[:, None])
                table_VD[0] = 0.0  # the code of unknown
                rest_ND -= table_VD[codes_N] * known_N[:, None]
            self.ids.weight.copy_(rest_ND)

    def reset_item_embeddings(self, unknown_N: Tensor) -> None:
        """See `Encoder.reset_item_embeddings`. An untrained id embedding would only add noise to the
        features."""
        with torch.no_grad():
            self.ids.weight[unknown_N] = 0.0

    def _feature_sum(self, codes: Tensor) -> Tensor:
        parts = [table(code) for table, code in zip(self.features, codes.unbind(-1), strict=True)]
        return torch.stack(parts).sum(dim=0)

    def _mixed(self, sums: Tensor) -> Tensor:
        mixed: Tensor = sums + self.mix(sums)
        return mixed


def build_item_embeddings(config: EncoderConfig, shape: DataShape) -> ItemTable | ItemTower:
    """What `encoder.items` names. A tower needs a catalogue with features; without any it is a table."""
    wants_tower = config.model == "two_tower" if config.items == "auto" else config.items == "features"
    has_features = shape.item_content is not None and any(size > 1 for size in shape.item_content_sizes)
    if not wants_tower or not has_features:
        return ItemTable(shape.num_items, config.dim)
    assert shape.item_content is not None
    return ItemTower(
        shape.item_content, sizes=shape.item_content_sizes, dim=config.dim, id_dropout=config.id_dropout
    )
