"""Item embeddings: a table by id, or a tower over the id and the catalogue features.

Shape suffixes: N items, D width, G item features, U distinct items of a call.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from configs.settings.encoder import EncoderConfig
from models.data_shape import DataShape
from models.given_vectors import GivenVectors
from models.image_encoder import ImageEncoder
from models.text_encoder import TextEncoder

ITEMS_AT_ONCE = 4096
"""Items whose vectors are computed together where nothing is learned: 100 MB of texts"""


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


class ItemContent(NamedTuple):
    """What is known of items without their events. None: the tower does not read it."""

    codes: Tensor
    """(N, G) of category path, brand and price band"""
    tokens: Tensor | None = None
    """(N, T) of the texts, see `features.profiles.item_text`"""
    given: Tensor | None = None
    """(N, V) vectors from elsewhere; zeros for an item without one"""
    images: Tensor | None = None
    """(N, P) bytes of thumbnails; zeros for an item without one"""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of what the tower reads."""
        return tuple(name for name, value in self._asdict().items() if value is not None)

    def of(self, items_U: Tensor) -> ItemContent:
        """Of some of the items."""
        chosen = {name: part[items_U] for name, part in self._asdict().items() if part is not None}
        return ItemContent(**chosen)


class ItemTower(nn.Module):
    """The sum of what an item's id and content say (category path, brand, price band, texts, given vectors,
    images), plus a small network over it.

    In training the id of some items is dropped, as in DropoutNet (Volkovs et al. 2017), so that the content
    alone gives a useful vector for a cold-start item.
    """

    codes_NG: Tensor
    tokens_NT: Tensor | None
    given_NV: Tensor | None
    images_NP: Tensor | None

    def __init__(
        self,
        content: ItemContent,
        *,
        sizes: tuple[int, ...],
        num_hashes: int,
        num_words: int,
        dim: int,
        id_dropout: float,
    ) -> None:
        super().__init__()
        self.register_buffer("codes_NG", content.codes, persistent=False)
        self.register_buffer("tokens_NT", content.tokens, persistent=False)
        self.register_buffer("given_NV", content.given, persistent=False)
        self.register_buffer("images_NP", content.images, persistent=False)
        self.ids = nn.Embedding(len(content.codes), dim)
        self.features = nn.ModuleList(nn.Embedding(size, dim) for size in sizes)
        self.text = self.given = self.images = None
        if content.tokens is not None:
            self.text = TextEncoder(num_hashes=num_hashes, num_words=num_words, dim=dim)
        if content.given is not None:
            self.given = GivenVectors(width=content.given.shape[1], dim=dim)
        if content.images is not None:
            self.images = ImageEncoder(num_bytes=content.images.shape[1], dim=dim)
        self.mix = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, dim))
        self.sizes, self.id_dropout = sizes, id_dropout
        nn.init.normal_(self.ids.weight, std=dim**-0.5)
        for parameter in (*self.features.parameters(), *self.mix[-1].parameters()):
            nn.init.zeros_(parameter)  # a code without training data and the untrained network have no effect

    def forward(self, items: Tensor) -> Tensor:
        """Indices (...) → (..., D). Each distinct item is computed once."""
        distinct_U, inverse = torch.unique(items, return_inverse=True)
        if self.training:
            return self._vectors(distinct_U)[inverse]
        # all items of a catalogue at once would need gigabytes for their texts
        parts = [self._vectors(block) for block in distinct_U.split(ITEMS_AT_ONCE)]
        return torch.cat(parts)[inverse]

    def _vectors(self, items_U: Tensor) -> Tensor:
        ids_UD = self.ids(items_U)
        content = self.content.of(items_U)
        if self.training and self.id_dropout:
            ids_UD = ids_UD * self._kept(ids_UD)
            # so that the tower can do without, as it must for a live item
            if content.given is not None:
                content = content._replace(given=content.given * self._kept(ids_UD))
            if content.images is not None:
                content = content._replace(images=content.images * self._kept(ids_UD))
        return self._mixed(ids_UD + self._content_sum(content))

    def _kept(self, rows_UX: Tensor) -> Tensor:
        """(U, 1) False with the probability of `id_dropout`."""
        return torch.rand_like(rows_UX[:, :1]) >= self.id_dropout

    @property
    def content(self) -> ItemContent:
        """Of all items."""
        return ItemContent(self.codes_NG, self.tokens_NT, self.given_NV, self.images_NP)

    def cold_start(self, content: ItemContent) -> Tensor:
        """Content (M rows) of items without training data → (M, D)."""
        return self._mixed(self._content_sum(content))

    def load_pretrained(self, item_vectors_ND: Tensor, known_N: Tensor) -> None:
        """Set each feature's embeddings to the mean residual of the known items with that code, feature by
        feature, then the text encoder, the projection of given vectors and the last layer of the image
        encoder to what explains most of the rest, and the id embeddings to what remains.

        The sum is then exact for known items; the others start from their content.
        """
        rest_ND = item_vectors_ND * known_N[:, None]
        with torch.no_grad():
            for table_VD, codes_N in zip(self.features.parameters(), self.codes_NG.unbind(1), strict=True):
                totals_VD = torch.zeros_like(table_VD).index_add_(0, codes_N, rest_ND)
                num_known_V = torch.bincount(codes_N[known_N], minlength=len(table_VD))
                table_VD.copy_(totals_VD / num_known_V.clamp(min=1)[:, None])
                table_VD[0] = 0.0  # the code of unknown
                rest_ND -= table_VD[codes_N] * known_N[:, None]
            if self.text is not None and self.tokens_NT is not None:
                self.text.load_pretrained(self.tokens_NT[known_N], rest_ND[known_N])
                rest_ND -= self.text(self.tokens_NT) * known_N[:, None]
            if self.given is not None and self.given_NV is not None:
                self.given.load_pretrained(self.given_NV[known_N], rest_ND[known_N])
                rest_ND -= self.given(self.given_NV) * known_N[:, None]
            if self.images is not None and self.images_NP is not None:
                self.images.load_pretrained(self.images_NP[known_N], rest_ND[known_N])
                rest_ND -= self.images(self.images_NP) * known_N[:, None]
            self.ids.weight.copy_(rest_ND)

    def reset_item_embeddings(self, unknown_N: Tensor) -> None:
        """See `Encoder.reset_item_embeddings`. An untrained id embedding would only add noise to the
        content."""
        with torch.no_grad():
            self.ids.weight[unknown_N] = 0.0

    def _content_sum(self, content: ItemContent) -> Tensor:
        codes = content.codes
        parts = [table(code) for table, code in zip(self.features, codes.unbind(-1), strict=True)]
        if self.text is not None:
            parts.append(self.text(content.tokens))
        if self.given is not None:
            parts.append(self.given(content.given))
        if self.images is not None:
            parts.append(self.images(content.images))
        return torch.stack(parts).sum(dim=0)

    def _mixed(self, sums: Tensor) -> Tensor:
        mixed: Tensor = sums + self.mix(sums)
        return mixed


def build_item_embeddings(config: EncoderConfig, shape: DataShape) -> ItemTable | ItemTower:
    """What `encoder.items` names. A tower needs a catalogue that says something; without one it is a
    table."""
    wants_tower = config.model == "two_tower" if config.items == "auto" else config.items == "features"
    tokens = shape.item_tokens if config.item_text else None
    given, images = shape.item_given, shape.item_images
    has_codes = any(size > 1 for size in shape.item_content_sizes)
    has_content = has_codes or any(part is not None for part in (tokens, given, images))
    if not wants_tower or shape.item_content is None or not has_content:
        return ItemTable(shape.num_items, config.dim)
    return ItemTower(
        ItemContent(shape.item_content, tokens, given, images),
        sizes=shape.item_content_sizes,
        num_hashes=config.item_text_hashes,
        num_words=shape.num_words,
        dim=config.dim,
        id_dropout=config.id_dropout,
    )
