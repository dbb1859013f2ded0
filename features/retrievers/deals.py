"""What costs less than it did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from configs.schema import Config
from features.core.columns import PRICE, SALE_PRICE
from features.core.membership import is_in
from features.histories import IntArray
from features.interactions import Interactions
from features.retriever import Reason, Retrieval, Retriever, ScoredItems, UserContext, Wording

if TYPE_CHECKING:
    import polars as pl

_Price = NDArray[np.float64] | float


@dataclass(frozen=True)
class Deals(Retriever):
    """Items with a `sale_price` below their `price`, the best deals first, the same for everybody.

    A deal's score is √(share · gain / (gain + typical gain)): the share of the price that it saves, and what
    it saves, against the median of all deals, so that the currency does not matter. Prices of the live
    catalogue count at once.
    """

    name: ClassVar[str] = "deals"
    label: ClassVar[str] = "deals"
    is_general: ClassVar[bool] = False
    num_candidates: ClassVar[int] = 300
    shapes: ClassVar[Mapping[str, str]] = {"price": "float N", "sale_price": "float N"}

    price: NDArray[np.float64]
    """(N,) 0 where it is not known"""
    sale_price: NDArray[np.float64]
    """(N,) 0 where there is none"""

    @classmethod
    def fit(cls, interactions: Interactions, config: Config) -> Self:
        """See `Retriever.fit`. Before the end of the data there are no deals: what a price was then is not
        known."""
        catalogue = interactions.catalogue()
        return cls(*(_prices(catalogue, name, interactions.num_items) for name in (PRICE, SALE_PRICE)))

    def follow(self, item: int, fields: Mapping[str, Any]) -> bool:
        """See `Retriever.follow`: prices, of what the catalogue says."""
        if not fields.keys() & {PRICE, SALE_PRICE}:
            return False
        before = float(self.price[item]), float(self.sale_price[item])
        now = float(fields.get(PRICE, before[0]) or 0), float(fields.get(SALE_PRICE, before[1]) or 0)
        self.price[item], self.sale_price[item] = now
        if now == before or not (_is_deal(*now) or _is_deal(*before)):
            return False
        self.__dict__.pop("_found", None)
        return True

    def for_user(self, user: UserContext) -> ScoredItems:
        """See `Retriever.for_user`; for a user of whom nothing is known, too."""
        return self._found

    def reasons(self, items: IntArray, retrieval: Retrieval, wording: Wording) -> Mapping[int, Reason]:
        """How much less each costs, in per cent, rounded down."""
        proposed = items[is_in(items, retrieval.proposed)]
        share = 100 * (1 - self.sale_price[proposed] / np.maximum(self.price[proposed], 1e-9))
        return {
            item: Reason("deal", f"{percent} % off" if percent else "Reduced", priority=5)
            for item, percent in zip(proposed.tolist(), (share + 1e-6).astype(int).tolist(), strict=True)
        }

    @cached_property
    def _found(self) -> ScoredItems:
        items = np.flatnonzero(_is_deal(self.price, self.sale_price)).astype(np.int32)
        if not len(items):
            return ScoredItems.none()
        gain = self.price[items] - self.sale_price[items]
        scores = np.sqrt(gain / self.price[items] * gain / (gain + np.median(gain)))
        return ScoredItems(items=items, scores=scores.astype(np.float32))


def _is_deal(price: _Price, sale_price: _Price) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = np.asarray(sale_price > 0) & np.asarray(sale_price < price)
    return found


def _prices(catalogue: pl.DataFrame, name: str, num_items: int) -> NDArray[np.float64]:
    """(N,) of a column, 0 where there is none."""
    if name not in catalogue.columns:
        return np.zeros(num_items)
    return np.array(catalogue[name].cast(float).fill_nan(None).fill_null(0.0).to_numpy(), np.float64)
