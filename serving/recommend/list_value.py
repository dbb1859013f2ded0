"""What an item is worth in a list: the weighted sum of the probabilities of its outcomes.

Shapes: C candidates, N items, K outcomes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from configs.settings.outcomes import MONEY, OUTCOMES, ValueName, outcome_of
from features.histories import IntArray
from serving.recommend.bundle import Bundle
from serving.recommend.item_money import item_margins, item_prices


@dataclass(frozen=True)
class ListValue:
    """Weights of the ranker's outputs, and of what a purchase of each item brings in."""

    weights: NDArray[np.float32]
    """(1 + K,), or (1 + K, 2) where a purchase counts by money: then the second column times `money`"""
    money: NDArray[np.float32] | None
    """(N,)"""

    @classmethod
    def of(cls, bundle: Bundle, weights: Mapping[ValueName, float]) -> Self | None:
        """For a surface's weights; None where it has none, or the ranker tells no outcome that it weighs."""
        place = {name: 1 + number for number, name in enumerate(bundle.outcomes)}
        told = {name: weight for name, weight in weights.items() if outcome_of(name) in place}
        if not told:
            return None
        table = np.zeros((1 + len(place), 2), np.float32)
        money = np.zeros(bundle.num_items, np.float32)
        for name, weight in told.items():
            if name in MONEY:
                table[place[outcome_of(name)], 1] = 1
                money += np.float32(weight) * _MONEY[name](bundle)
            else:
                table[place[name], 0] = weight
        if not table[:, 1].any():
            return cls(np.ascontiguousarray(table[:, 0]), None)
        return cls(table, money)

    @classmethod
    def of_pages(cls, bundle: Bundle) -> Self | None:
        """For the rows of a page, whatever their surfaces: by the weights of `home`; where it has none, the
        probability of a purchase, or of the last outcome that the ranker tells."""
        last: dict[ValueName, float] = {name: 1.0 for name in OUTCOMES if name in bundle.outcomes[-1:]}
        return cls.of(bundle, bundle.surfaces["home"].weights) or cls.of(bundle, last)

    def combined(self, outputs: NDArray[np.float32], items: IntArray) -> NDArray[np.float32]:
        """(C, 1 + K) → (C,) in one matrix product."""
        found: NDArray[np.float32] = outputs @ self.weights
        return found if self.money is None else found[:, 0] + found[:, 1] * self.money[items]


_MONEY = {"revenue": item_prices, "margin": item_margins}
