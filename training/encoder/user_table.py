"""Each event's user as of its time: what models that read the user are trained on. Shapes: E events, F
numbers, A codes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.dataset import Dataset
from features.histories import IntArray
from features.profiles.user_features import user_codes


@dataclass(frozen=True)
class UserTable:
    """Row e is the user of the dataset's event e, just before it."""

    numbers: NDArray[np.float32]
    """(E, F), mapped from disk"""
    categories: IntArray
    """(E,)"""
    attributes: IntArray
    """(U, A - 1)"""
    users: IntArray
    """(E,) whose each event is"""

    @classmethod
    def of(cls, dataset: Dataset) -> UserTable:
        """The dataset's, which `shopkeeper prepare` made in one pass."""
        return cls(
            dataset.user_numbers, dataset.user_categories, np.asarray(dataset.user_attributes), dataset.users
        )

    def at(self, events: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Events of the dataset, of any shape (...) → numbers (..., F) and codes (..., A)."""
        return np.asarray(self.numbers[events]), user_codes(
            self.categories[events], self.attributes[self.users[events]]
        )
