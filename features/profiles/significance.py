"""Whether two items stand together more often than chance would have it: an exact test, and a floor for many
tests at once. Shapes: P pairs.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from features.core.compiled import compiled
from features.histories import IntArray, TimeArray

_NEGLIGIBLE = 1e-12
"""Terms of the tail that are smaller than this share of its sum are left out."""


@compiled
def log_p_value(together: int, with_left: int, with_right: int, total: int) -> float:
    """The logarithm of the probability that at least `together` of `total` baskets hold both items by chance,
    where `with_left` hold one and `with_right` the other: Fisher's exact test, one-sided.

    The tail of the hypergeometric distribution, from its first term by the ratio of each term to the one
    before. Fisher 1922, doi:10.2307/2340521.
    """
    lowest = max(0, with_left + with_right - total)
    if together <= lowest:
        return 0.0
    neither = total - with_left - with_right + together
    first = (
        math.lgamma(with_left + 1.0)
        + math.lgamma(total - with_left + 1.0)
        + math.lgamma(with_right + 1.0)
        + math.lgamma(total - with_right + 1.0)
        - math.lgamma(total + 1.0)
        - math.lgamma(together + 1.0)
        - math.lgamma(with_left - together + 1.0)
        - math.lgamma(with_right - together + 1.0)
        - math.lgamma(neither + 1.0)
    )
    term, tail = 1.0, 1.0
    for number in range(together, min(with_left, with_right)):
        term *= (with_left - number) * (with_right - number)
        term /= (number + 1.0) * (total - with_left - with_right + number + 1.0)
        tail += term
        if term < _NEGLIGIBLE * tail:
            break
    return min(first + math.log(tail), 0.0)


@compiled
def log_p_values(
    together: IntArray, with_left: int, with_right: TimeArray, total: int
) -> NDArray[np.float64]:
    """`log_p_value` of one item with each of P others."""
    found = np.empty(len(together), np.float64)
    for place in range(len(together)):
        found[place] = log_p_value(together[place], with_left, with_right[place], total)
    return found


def discoveries(
    log_p: NDArray[np.float64], *, num_tests: float, false_discovery_rate: float
) -> NDArray[np.bool_]:
    """(P,) which of the pairs stand above chance when `num_tests` were tested, of which `log_p` (P,) holds
    those with the smallest p-values: of what is found, at most this share is chance, on average.

    Benjamini & Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x.
    """
    if not len(log_p):
        return np.zeros(0, bool)
    ordered = np.sort(log_p)
    floors = np.log(np.arange(1, len(log_p) + 1)) + math.log(false_discovery_rate) - math.log(num_tests)
    passing = np.flatnonzero(ordered <= floors)
    return log_p <= ordered[passing[-1]] if len(passing) else np.zeros(len(log_p), bool)
