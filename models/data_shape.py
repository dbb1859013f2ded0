"""The sizes of the data that a model is built for."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class DataShape:
    """What a model is built for. Shapes: N items, G item features, A categorical user features."""

    num_items: int
    max_length: int
    """Longest history, in events."""
    has_times: bool = True
    """False if the data has the order of events only; ages then mean nothing."""
    item_content: Tensor | None = None
    """(N, G) int64 codes of each item's category path, brand and price band; 0 is unknown."""
    item_content_sizes: tuple[int, ...] = ()
    """(G,) number of codes of each item feature, including 0."""
    item_tokens: Tensor | None = None
    """(N, T) int32 hashed tokens of each item's texts, 0 for none; None where no item has a text"""
    num_words: int = 0
    """How many of the tokens, the first ones, are words in their order"""
    item_given: Tensor | None = None
    """(N, V) vectors of items from elsewhere, zeros where there is none; None without any"""
    item_images: Tensor | None = None
    """(N, P) bytes of thumbnails, zeros where there is none; None without any"""
    num_user_numbers: int = 0
    """Numeric user features."""
    user_code_sizes: tuple[int, ...] = ()
    """(A,) number of codes of each categorical user feature, including 0."""
