"""Variants of what is on the page or in the cart."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from features.histories import IntArray
from serving.recommend.filter import Filter, FilterContext


class Variants(Filter):
    """Other variants of a product (`item_group_id`) that is on the page or in the cart: another size or
    colour of it goes with nothing."""

    name: ClassVar[str] = "variants"
    reason: ClassVar[str] = "is a variant of what is on the page or in the cart"

    @staticmethod
    def removed(context: FilterContext) -> IntArray:
        """See `Filter.removed`."""
        present = np.concatenate([context.query.page_items, context.profile.cart_items])
        item_groups = context.item_groups() if len(present) else present[:0]
        groups = item_groups[present] if len(item_groups) else present[:0]
        if not (groups >= 0).any():
            return present[:0]
        same = np.flatnonzero(np.isin(item_groups, groups[groups >= 0]))
        return np.setdiff1d(same, present).astype(np.int32)
