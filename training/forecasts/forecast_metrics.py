"""How good forecasts are. Legend: U customers."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from training.forecasts.outcomes import Floats, Forecasts

NUM_TENTHS: Final = 10


def auc(scores: Floats, bought: Floats) -> float:
    """The probability that somebody who bought has a higher score than somebody who did not; ties count half.
    NaN where all did, or nobody."""
    positives = bought.sum()
    negatives = len(bought) - positives
    if not positives or not negatives:
        return float("nan")
    ranks = rankdata(scores)
    return float((ranks[bought > 0].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def tenths(scores: Floats) -> NDArray[np.intp]:
    """(U,) the tenth of each customer by score, 0 for the highest; ties by place."""
    place = np.empty(len(scores), np.intp)
    place[np.argsort(-scores, kind="stable")] = np.arange(len(scores))
    found: NDArray[np.intp] = place * NUM_TENTHS // max(len(scores), 1)
    return found


def by_tenth(said: Forecasts, came: Forecasts) -> list[dict[str, float]]:
    """A row a tenth of the customers, the most probable first; a tenth that nobody is in is left out. `lift`:
    how many times the share of all."""
    tenth, rows, share = tenths(said.purchase), [], float(came.purchase.mean())
    for number in range(NUM_TENTHS):
        within = tenth == number
        if within.any():
            bought = float(came.purchase[within].mean())
            lift = bought / share if share else float("nan")
            row: dict[str, float] = {"tenth": number + 1, "customers": int(within.sum())}
            row |= {"said": float(said.purchase[within].mean()), "bought": bought, "lift": lift}
            rows.append(row)
    return rows


def metrics(said: Forecasts, came: Forecasts) -> dict[str, float]:
    """Every figure. `*_error`: mean absolute error a customer; `*_sum`: the sum that was said beside the one
    that came, 1 where they are equal."""
    rows = by_tenth(said, came)
    customers = sum(row["customers"] for row in rows)
    distance = sum(row["customers"] * abs(row["said"] - row["bought"]) for row in rows)
    found = {
        "auc": auc(said.purchase, came.purchase),
        "brier": float(np.mean((said.purchase - came.purchase) ** 2)),
        "calibration_error": distance / max(customers, 1),
        "lift": rows[0]["lift"],
        "orders_error": float(np.abs(said.orders - came.orders).mean()),
        "orders_sum": _ratio(said.orders, came.orders),
    }
    if said.spend is not None and came.spend is not None:
        found["spend_error"] = float(np.abs(said.spend - came.spend).mean())
        found["spend_sum"] = _ratio(said.spend, came.spend)
    return found


def _ratio(said: Floats, came: Floats) -> float:
    return float(said.sum() / came.sum()) if came.sum() > 0 else float("nan")
