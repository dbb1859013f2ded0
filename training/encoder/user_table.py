"""Point-in-time user features of every event, for training models that read the user.

Shapes: E events, U users, F numbers, A codes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.dataset import Dataset
from features.histories import IntArray
from features.profiles.user_features import user_codes


@dataclass(frozen=True)
class UserTable:
    """Row e holds the features of the user of event e just before that event."""

    numbers: NDArray[np.float32]
    """(E, F), memory-mapped."""
    categories: IntArray
    """(E,) favourite category."""
    attributes: IntArray
    """(U, A - 1) codes of the user attributes."""
    users: IntArray
    """(E,) the user of each event."""

    @classmethod
    def of(cls, dataset: Dataset) -> UserTable:
        """The table of a dataset, as made by `shopkeeper prepare`."""
        return cls(
            dataset.user_numbers, dataset.user_categories, np.asarray(dataset.user_attributes), dataset.users
        )

    def at(self, events: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Indices of events, of any shape (...) → numbers (..., F) and codes (..., A)."""
        return np.asarray(self.numbers[events]), user_codes(
            self.categories[events], self.attributes[self.users[events]]
        )
