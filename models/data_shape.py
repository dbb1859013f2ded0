"""What a model must know of the data to be built."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class DataShape:
    """What a model must know of the data to be built. Legend: N items, G item features."""

    num_items: int
    max_length: int
    """Longest history, in events"""
    has_times: bool = True
    """False on an ordinal clock, where ages mean nothing."""
    item_content: Tensor | None = None
    """(N, G) int64 category path, brand and price band of each item; 0 is unknown"""
    item_content_sizes: tuple[int, ...] = ()
    """(G,) codes of each item feature, 0 included"""
    num_user_numbers: int = 0
    user_code_sizes: tuple[int, ...] = ()
    """(A,) codes of each user feature, 0 included"""
