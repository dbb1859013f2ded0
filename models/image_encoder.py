"""A network for images small enough to be trained with the shop's own events, from nothing.

Shape suffixes: M images, P bytes of an image, S side of one in pixels, C channels, D width.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from models.given_vectors import ridge

CHANNELS = (16, 32)


class ImageEncoder(nn.Module):
    """Thumbnails (M, P) of `features.ingest.item_images` → (M, D); zeros are an item without an image, for
    which one vector is learned."""

    def __init__(self, *, num_bytes: int, dim: int) -> None:
        super().__init__()
        self.side = math.isqrt(num_bytes // 3)
        first, second = CHANNELS
        self.layers = nn.Sequential(
            nn.Conv2d(3, first, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(first, second, 3, stride=2, padding=1),
            nn.ReLU(),
        )
        self.norm = nn.LayerNorm(second)
        self.out = nn.Linear(second, dim, bias=False)
        self.missing = nn.Parameter(torch.zeros(dim))
        nn.init.zeros_(self.out.weight)  # so that an untrained network says nothing

    def forward(self, images_MP: Tensor) -> Tensor:
        """(M, P) bytes → (M, D)"""
        has_image_M1 = (images_MP > 0).any(dim=1, keepdim=True)
        return torch.where(has_image_M1, self.out(self._features(images_MP)), self.missing)

    def _features(self, images_MP: Tensor) -> Tensor:
        """(M, P) bytes → (M, C)"""
        # (M, P) -> (M, S, S, 3) -> (M, 3, S, S), around 0
        bytes_MSS3 = images_MP.view(-1, self.side, self.side, 3)
        pixels_M3SS = bytes_MSS3.permute(0, 3, 1, 2).float() / 255 - 0.5
        features_MC: Tensor = self.norm(self.layers(pixels_M3SS).mean(dim=(2, 3)))
        return features_MC

    @torch.no_grad()
    def load_pretrained(self, images_MP: Tensor, vectors_MD: Tensor) -> None:
        """Come near to these vectors by the last layer alone: random filters tell colours and edges apart
        before they are trained."""
        has_image_M = (images_MP > 0).any(dim=1)
        if has_image_M.any():
            solved_CD = ridge(self._features(images_MP[has_image_M]), vectors_MD[has_image_M])
            self.out.weight.copy_(solved_CD.T)
        if not has_image_M.all():
            self.missing.copy_(vectors_MD[~has_image_M].mean(dim=0))
