"""How far forecasts can be trusted: made as of one window before the end, and judged on that window.

Every system sees the same customers. The trees and the rules learn from windows that are over by then, BG/NBD
from all orders by then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.console import log
from configs.exceptions import TooLittleDataError
from configs.settings.forecasts import ForecastsConfig
from configs.settings.lifecycle import EvaluationConfig
from features.core.columns import MICROSECONDS_PER_DAY
from training.forecasts.bg_nbd import BGNBD
from training.forecasts.boosted_trees import BoostedTrees
from training.forecasts.buy_till_you_die import BuyTillYouDie
from training.forecasts.customers import Customers, customers_as_of
from training.forecasts.forecast_intervals import intervals
from training.forecasts.forecast_metrics import by_tenth, metrics
from training.forecasts.outcomes import Forecasts, examples_before, outcomes_after
from training.forecasts.rfm_rules import RfmRules
from training.forecasts.shop_events import ShopEvents

LEFT_BELOW = 0.5
"""Somebody has probably left where the probability that they are alive is lower."""


@dataclass(frozen=True)
class Judged:
    """Customers as of a moment, what each system said of the days after, and what came."""

    customers: Customers
    came: Forecasts
    said: dict[str, Forecasts]
    """System → its forecasts; `lightgbm`, where it is used, `bg_nbd`, `rfm`"""
    alive: NDArray[np.float64]
    """(U,) the probability that they have not left"""
    importance: dict[str, float]
    """Column → its share of what the trees gained; empty without them"""


def judged_at(events: ShopEvents, as_of: int, settings: ForecastsConfig, *, with_trees: bool) -> Judged:
    """Fit every system as of a moment, and see what came in the days after.

    Raises TooLittleDataError where the past holds too little.
    """
    require_repeat_buyers(events, settings, as_of=as_of)
    customers = customers_as_of(events, as_of)
    examples = examples_before(events, as_of, days=settings.days, num_moments=settings.num_moments)
    if not examples.outcomes.purchase.any():
        raise TooLittleDataError(
            f"No customer bought again in the windows of {settings.days} days before "
            f"{moment(as_of)}, so there is nothing to learn from. Take longer windows: a larger --days."
        )
    reference = BuyTillYouDie.fit(customers, has_prices=events.has_prices)
    said = {
        "bg_nbd": reference.forecast(customers, days=settings.days),
        "rfm": RfmRules.fit(examples).forecast(customers),
    }
    importance: dict[str, float] = {}
    if with_trees:
        trees = BoostedTrees.fit(examples, seed=settings.seed)
        said, importance = {"lightgbm": trees.forecast(customers), **said}, trees.importance()
    alive = BGNBD.fit(customers.histories, leaves_at_first=True).alive_probability(customers.histories)
    return Judged(customers, outcomes_after(customers, events, days=settings.days), said, alive, importance)


def evaluation(judged: Judged, settings: ForecastsConfig, evaluating: EvaluationConfig) -> dict[str, Any]:
    """The figures of a window, of `evaluation.max_users` customers at most; JSON."""
    which = np.arange(len(judged.customers))
    if len(which) > evaluating.max_users:
        drawn = np.random.default_rng(evaluating.seed).choice(len(which), evaluating.max_users, replace=False)
        which = np.sort(drawn)
    said = {system: one.take(which) for system, one in judged.said.items()}
    came, alive, best = judged.came.take(which), judged.alive[which], next(iter(said))
    log(f"Judging {len(which):,} customers")
    apart = intervals(said, came, of=best, samples=evaluating.bootstrap_samples, seed=evaluating.seed)
    gone = alive < LEFT_BELOW
    return {
        "as_of": moment(judged.customers.as_of),
        "days": settings.days,
        "customers": len(which),
        "customers_in_all": len(judged.customers),
        "repeat_buyers": judged.customers.num_repeat_buyers,
        "share_bought": float(came.purchase.mean()),
        "orders_mean": float(came.orders.mean()),
        "spend_mean": None if came.spend is None else float(came.spend.mean()),
        "systems": {
            system: {
                **metrics(one, came),
                "above": {name: list(three) for name, three in apart[system].items()}
                if system != best
                else {},
                "tenths": by_tenth(one, came),
            }
            for system, one in said.items()
        },
        "left": {
            "customers": int(gone.sum()),
            "bought_nevertheless": float(came.purchase[gone].mean()) if gone.any() else None,
            "others_bought": float(came.purchase[~gone].mean()) if (~gone).any() else None,
        },
        "importance": judged.importance,
    }


def require_repeat_buyers(events: ShopEvents, settings: ForecastsConfig, *, as_of: int) -> None:
    """Raise TooLittleDataError unless the shop has run long enough, and enough customers had bought twice
    before the first window that is learnt from."""
    if events.span_days < 3 * settings.days:
        raise TooLittleDataError(
            f"The data spans {events.span_days:.1f} days; forecasts of {settings.days} days need "
            f"{3 * settings.days}: a past, a window to learn from and one to judge by. "
            f"{_shorter(events.span_days)}"
        )
    first = customers_as_of(events, as_of - settings.days * MICROSECONDS_PER_DAY)
    if first.num_repeat_buyers < settings.min_repeat_buyers:
        raise TooLittleDataError(
            f"{first.num_repeat_buyers:,} of {len(first):,} customers had ordered on two days or more before "
            f"{moment(first.as_of)}; forecasts need {settings.min_repeat_buyers:,} "
            "(forecasts.min_repeat_buyers). Prepare more of the past, or take a shorter --days. A lower "
            "number can be set, but what so few teach means little."
        )


def _shorter(span: float) -> str:
    return f"Take fewer, such as --days {int(span / 3)}." if span >= 3 else "Prepare more of the past."


def moment(microseconds: int) -> str:
    """A moment in words for people and files: 2017-12-31T09:12:00."""
    return str(np.datetime64(microseconds // 1_000_000, "s"))
