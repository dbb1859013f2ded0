"""Where item vectors come from: a row of a table, or a tower over the item's id and catalogue features.

Shape suffixes: N items, D width, G item features, U distinct items of a call.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from configs.schema import EncoderConfig
from models.data_shape import DataShape


class ItemTable(nn.Embedding):
    """One free vector an item: (...) indices → (..., D)."""

    def __init__(self, num_items: int, dim: int) -> None:
        super().__init__(num_items, dim)
        nn.init.normal_(self.weight, std=dim**-0.5)

    @property
    def ids(self) -> nn.Embedding:
        """The table with a row an item."""
        return self

    def load_pretrained(self, item_vectors_ND: Tensor, known_N: Tensor) -> None:
        """See `Encoder.load_pretrained`."""
        with torch.no_grad():
            self.weight.copy_(item_vectors_ND)

    def reset_item_embeddings(self, unknown_N: Tensor) -> None:
        """See `Encoder.reset_item_embeddings`: an id is all that this table has."""


class ItemTower(nn.Module):
    """An item is its id plus its features (category path, brand, price band), mixed by a small network.

    In training the id of some items is dropped, as in DropoutNet (Volkovs et al. 2017), so that the features
    alone say where an item lies: what an item without history gets.
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
            nn.init.zeros_(
                parameter
            )  # a value that training never saw changes nothing, and at first nothing is mixed

    def forward(self, items: Tensor) -> Tensor:
        """Indices (...) → (..., D). Each distinct item is computed once."""
        distinct_U, place = torch.unique(items, return_inverse=True)
        ids_UD = self.ids(distinct_U)
        if self.training and self.id_dropout:
            ids_UD = ids_UD * (torch.rand_like(ids_UD[:, :1]) >= self.id_dropout)
        vectors: Tensor = self._mixed(ids_UD + self._described(self.codes_NG[distinct_U]))[place]
        return vectors

    def cold_start(self, codes: Tensor) -> Tensor:
        """Feature codes (M, G) of items that training never saw → (M, D)."""
        return self._mixed(self._described(codes))

    def load_pretrained(self, item_vectors_ND: Tensor, known_N: Tensor) -> None:
        """Give each feature's values the mean of what is left of their known items' vectors, and the ids the
        rest.

        For known items the sum is whole; the others begin where their features say.
        """
        rest_ND = item_vectors_ND * known_N[:, None]
        with torch.no_grad():
            for table_VD, codes_N in zip(self.features.parameters(), self.codes_NG.unbind(1), strict=True):
                totals_VD = torch.zeros_like(table_VD).index_add_(0, codes_N, rest_ND)
                num_known_V = torch.bincount(codes_N[known_N], minlength=len(table_VD))
                table_VD.copy_(totals_VD / num_known_V.clamp(min=1)[:, None])
                table_VD[0] = 0.0  # unknown says nothing
                rest_ND -= table_VD[codes_N] * known_N[:, None]
            self.ids.weight.copy_(rest_ND)

    def reset_item_embeddings(self, unknown_N: Tensor) -> None:
        """Let these items (a mask) be what their features say: an id that nothing trained would only lead
        away from it."""
        with torch.no_grad():
            self.ids.weight[unknown_N] = 0.0

    def _described(self, codes: Tensor) -> Tensor:
        parts = [table(code) for table, code in zip(self.features, codes.unbind(-1), strict=True)]
        return torch.stack(parts).sum(dim=0)

    def _mixed(self, sums: Tensor) -> Tensor:
        mixed: Tensor = sums + self.mix(sums)
        return mixed


def build_items(config: EncoderConfig, shape: DataShape) -> ItemTable | ItemTower:
    """The table of items that `encoder.items` names; a tower only where the catalogue says anything."""
    wants_tower = config.model == "two_tower" if config.items == "auto" else config.items == "features"
    is_described = shape.item_content is not None and any(size > 1 for size in shape.item_content_sizes)
    if not wants_tower or not is_described:
        return ItemTable(shape.num_items, config.dim)
    assert shape.item_content is not None
    return ItemTower(
        shape.item_content, sizes=shape.item_content_sizes, dim=config.dim, id_dropout=config.id_dropout
    )
