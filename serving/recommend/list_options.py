"""What only some requests ask of a list: how it is put together, which page of it, and how it came about."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from features.histories import IntArray
from serving.recommend.promotions import Promotion


@dataclass(frozen=True)
class ListOptions:
    """The defaults make the list that a surface gives by itself."""

    diversity: float | None = None
    """0 to 1, see `diversity`; None: as the surface says"""
    promotions: tuple[Promotion, ...] = ()
    exploration: float | None = None
    """The share of the places that are drawn, see `exploration`; None: as the surface says"""
    seed: int = 0
    """Of what is drawn"""
    offset: int = 0
    """Places before the first of these results: pages that were shown already"""
    is_pinned: bool = False
    """Whether `as_of` is that of an earlier page: what is known of the user then is not kept"""
    explain: bool = False
    """Whether the answer has a trace"""
    explain_items: IntArray = field(default_factory=lambda: np.empty(0, np.int32))
    """The items whose way the trace tells"""


NO_OPTIONS: Final = ListOptions()
