"""Gradient boosted trees on what is known of each customer: LightGBM, one model an outcome.

The probability is fitted by log loss, orders by the likelihood of a Poisson distribution, spend by that of a
Tweedie distribution, which has a mass at 0 and a long tail. Ke et al. (2017), LightGBM, NIPS. Legend: U
customers, F columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from configs.exceptions import ConfigError
from training.forecasts.customers import COLUMNS, Customers
from training.forecasts.outcomes import Examples, Floats, Forecasts

_SHARED: Final[dict[str, Any]] = {
    "learning_rate": 0.03,
    "num_leaves": 15,
    "min_data_in_leaf": 40,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "deterministic": True,
    "force_col_wise": True,
    "verbosity": -1,
}
NUM_TREES: Final = 150
_OBJECTIVES: Final[dict[str, dict[str, Any]]] = {
    "purchase": {"objective": "binary"},
    "orders": {"objective": "poisson"},
    "spend": {"objective": "tweedie", "tweedie_variance_power": 1.5},
}


@dataclass(frozen=True)
class BoostedTrees:
    """A model for each outcome."""

    models: dict[str, Any]
    """Outcome → its LightGBM booster; None where there was none of it, as of spend that all came back"""

    @classmethod
    def fit(cls, examples: Examples, *, seed: int = 0) -> Self:
        """Deterministic for a seed. Without prices there is no model of spend."""
        columns = examples.customers.columns
        outcomes = {name: getattr(examples.outcomes, name) for name in _OBJECTIVES}
        return cls(
            {
                name: _booster(columns, outcome, {**_OBJECTIVES[name], "seed": seed})
                for name, outcome in outcomes.items()
                if outcome is not None
            }
        )

    def forecast(self, customers: Customers) -> Forecasts:
        """Of the days after the customers' moment."""
        columns = customers.columns
        found = {
            name: np.zeros(len(columns)) if model is None else np.asarray(model.predict(columns), np.float64)
            for name, model in self.models.items()
        }
        orders = np.maximum(found["orders"], found["purchase"])  # who buys has one order at least
        return Forecasts(found["purchase"], orders, found.get("spend"))

    def importance(self) -> dict[str, float]:
        """Column → its share of what the trees of `purchase` gained, the greatest first."""
        gains = self.models["purchase"].feature_importance(importance_type="gain")
        shares = gains / max(gains.sum(), 1e-12)
        return {COLUMNS[place]: float(shares[place]) for place in np.argsort(-shares, kind="stable")}


def _booster(columns: NDArray[np.float32], outcome: Floats, parameters: dict[str, Any]) -> Any:
    if not outcome.any():
        return None
    try:
        import lightgbm  # not above: it brings scikit-learn and pandas, and takes a second
    except OSError as error:
        raise ConfigError(
            f"LightGBM is installed but cannot be loaded ({error}). It needs the system's OpenMP library "
            "(Debian: libgomp1, macOS: libomp). Without it: --set forecasts.model=bg_nbd."
        ) from None
    data = lightgbm.Dataset(columns, label=outcome, feature_name=list(COLUMNS), free_raw_data=True)
    return lightgbm.train({**_SHARED, **parameters}, data, num_boost_round=NUM_TREES)
