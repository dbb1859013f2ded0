"""The removal effect of a channel in a chain of touches, by linear algebra.

The chain has a start, C channels, an order and nothing as its states, the last two absorbing; its
probabilities are the shares of the transitions that were seen. The removal effect of a channel is the share
of the chain's orders that would be lost if every way through the channel ended in nothing. Anderl et al.
2016, doi:10.1016/j.ijresmar.2016.03.001.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


def removal_effects(counts: Matrix, to_order: Matrix, to_nothing: Matrix) -> Matrix:
    """(C,) the removal effects, 0 to 1. `counts` (1 + C, 1 + C): transitions between the start (row and
    column 0) and the channels; `to_order`, `to_nothing` (1 + C,): those that end a path. All 0 without an
    order.

    With N = (I - Q)^-1, N[0, c] / N[c, c] is the probability of ever coming to c, and (N r)[c] that of an
    order from there: their product is what is lost of the order probability (N r)[0].
    """
    total = counts.sum(axis=1) + to_order + to_nothing
    safe = np.where(total > 0, total, 1.0)
    if not to_order.any():
        return np.zeros(len(counts) - 1)
    visits = np.linalg.inv(np.eye(len(counts)) - counts / safe[:, None])
    order = visits @ (to_order / safe)
    reached = visits[0] / np.diag(visits)
    return np.asarray(np.clip(reached * order / order[0], 0.0, 1.0)[1:])
