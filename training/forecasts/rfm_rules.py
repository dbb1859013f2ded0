"""RFM rules: customers are put into cells by how lately, how often and for how much they bought, and of each
cell is expected what it did before. The floor of every forecast. Legend: U customers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from training.forecasts.customers import Customers
from training.forecasts.outcomes import Examples, Floats, Forecasts

NUM_SCORES: Final = 5
"""Fifths: a score from 1 to 5 for each of recency, frequency and monetary value."""
PRIOR_CUSTOMERS: Final = 20.0
"""A cell's mean is drawn to that of all customers as if so many more were in it; a cell that nobody is in has
just that."""


@dataclass(frozen=True)
class RfmRules:
    """(125,) the mean outcomes of each cell."""

    purchase: Floats
    orders: Floats
    spend: Floats | None

    @classmethod
    def fit(cls, examples: Examples) -> Self:
        """The mean outcome of each cell."""
        cells, outcomes = rfm_cells(examples.customers), examples.outcomes
        spend = None if outcomes.spend is None else _means(cells, outcomes.spend)
        return cls(_means(cells, outcomes.purchase), _means(cells, outcomes.orders), spend)

    def forecast(self, customers: Customers) -> Forecasts:
        """Of the days after the customers' moment."""
        cells = rfm_cells(customers)
        spend = None if self.spend is None else self.spend[cells]
        return Forecasts(self.purchase[cells], self.orders[cells], spend)


def rfm_cells(customers: Customers) -> NDArray[np.intp]:
    """(U,) the cell of each customer, from 0: 25 (R - 1) + 5 (F - 1) + M - 1, of scores in fifths among these
    customers. Equal values have equal scores."""
    recent, frequent, valuable = (
        fifths(values) - 1
        for values in (-customers.column("recency"), customers.column("orders"), customers.column("value"))
    )
    cells: NDArray[np.intp] = (NUM_SCORES * recent + frequent) * NUM_SCORES + valuable
    return cells


def fifths(values: Floats) -> NDArray[np.intp]:
    """(U,) scores from 1, the lowest fifth, to 5."""
    if not len(values):
        return np.empty(0, np.intp)
    share = (rankdata(values) - 0.5) / len(values)
    found: NDArray[np.intp] = np.minimum(share * NUM_SCORES, NUM_SCORES - 1).astype(np.intp) + 1
    return found


def _means(cells: NDArray[np.intp], values: Floats) -> Floats:
    size = NUM_SCORES**3
    mean = float(values.mean()) if len(values) else 0.0
    counts, sums = np.bincount(cells, minlength=size), np.bincount(cells, values, minlength=size)
    found: Floats = (sums + PRIOR_CUSTOMERS * mean) / (counts + PRIOR_CUSTOMERS)
    return found
