"""BG/NBD for orders and Gamma-Gamma for what they are worth: the reference of every forecast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from training.forecasts.bg_nbd import BGNBD
from training.forecasts.customers import Customers
from training.forecasts.gamma_gamma import GammaGamma
from training.forecasts.outcomes import Forecasts

WORTH_NOTHING: Final = GammaGamma(p=1.0, q=2.0, v=0.0, mean=0.0)
"""Of a shop whose first price is of a later day."""


@dataclass(frozen=True)
class BuyTillYouDie:
    """Both models of a shop. They learn from the past of all customers; no window after it is needed."""

    orders: BGNBD
    values: GammaGamma | None
    """None in a shop without prices"""

    @classmethod
    def fit(cls, customers: Customers, *, has_prices: bool) -> Self:
        """Of all customers as of a moment. Raises TooLittleDataError where nobody has bought twice."""
        orders, worth, values = customers.column("orders"), customers.column("value_mean"), None
        if has_prices:
            values = GammaGamma.fit(orders, worth) if (worth > 0).any() else WORTH_NOTHING
        return cls(BGNBD.fit(customers.histories), values)

    def forecast(self, customers: Customers, *, days: float) -> Forecasts:
        """Of the days after the customers' moment."""
        histories = customers.histories
        orders = self.orders.expected_orders(histories, within=days)
        spend = None
        if self.values is not None:
            value = self.values.expected_value(customers.column("orders"), customers.column("value_mean"))
            spend = orders * value
        return Forecasts(self.orders.purchase_probability(histories, within=days), orders, spend)
