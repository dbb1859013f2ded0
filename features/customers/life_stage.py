"""The life stage of a customer, from a few numbers: the same formula for tables and for one live history.

Shapes: P people.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from configs.settings.customers import CustomersConfig
from features.core.columns import EVENT_TYPE_CODE, MICROSECONDS_PER_DAY
from features.customers.purchase_cycle import own_cycle
from features.histories import History

NO_ORDER: Final = "no order"
STAGES: Final = (NO_ORDER, "new", "active", "loyal", "at risk", "lapsed")

Numbers = NDArray[np.float64]


def life_stages(
    order_days: NDArray[np.int64],
    *,
    days_since_first: Numbers,
    days_since_last: Numbers,
    cycle_days: Numbers,
    shop_cycle: float,
    rules: CustomersConfig,
) -> list[str]:
    """(P,) the stage of each.

    All are (P,): the days with an order, the days since the first and the last order (any number without
    one), and the customer's own cycle, NaN where it is not known: then the shop's counts.

    - `no order`: never bought anything
    - `new`: the first order is at most `new_days` ago
    - `lapsed`, `at risk`: the last order is more than so many cycles ago
    - `loyal`: at least `loyal_orders` days with an order
    - `active`: the rest
    """
    cycle = np.maximum(np.where(np.isnan(cycle_days), shop_cycle, cycle_days), rules.min_cycle_days)
    overdue = days_since_last / cycle
    found = np.select(
        [
            order_days == 0,
            days_since_first <= rules.new_days,
            overdue > rules.lapsed_cycles,
            overdue > rules.at_risk_cycles,
            order_days >= rules.loyal_orders,
        ],
        [NO_ORDER, "new", "lapsed", "at risk", "loyal"],
        default="active",
    )
    return [str(stage) for stage in found]


def life_stage_of(history: History, *, as_of: int, shop_cycle: float, rules: CustomersConfig) -> str:
    """The stage of one customer, from their events before `as_of` (microseconds), which have times.

    Purchases that were brought back count: whoever did so has been here.
    """
    past = history.before(as_of)
    times = past.times[past.event_types == EVENT_TYPE_CODE["purchase"]]
    if not len(times):
        return NO_ORDER
    zone = UTC if rules.time_zone == "UTC" else ZoneInfo(rules.time_zone)
    days = [datetime.fromtimestamp(time / 1e6, zone).toordinal() for time in times.tolist()]
    (found,) = life_stages(
        np.array([len(set(days))]),
        days_since_first=np.array([(as_of - times.min()) / MICROSECONDS_PER_DAY]),
        days_since_last=np.array([(as_of - times.max()) / MICROSECONDS_PER_DAY]),
        cycle_days=np.array([own_cycle(days)]),
        shop_cycle=shop_cycle,
        rules=rules,
    )
    return found


def stage_conditions(rules: CustomersConfig) -> dict[str, str]:
    """Stage → its condition in plain words."""
    risk, lapsed = rules.at_risk_cycles, rules.lapsed_cycles
    return {
        NO_ORDER: "has never bought anything",
        "new": f"first order at most {rules.new_days:g} days ago",
        "active": f"last order at most {risk:g} purchase cycles ago, on fewer than {rules.loyal_orders} days "
        "so far",
        "loyal": f"orders on {rules.loyal_orders} days or more, the last at most {risk:g} cycles ago",
        "at risk": f"last order {risk:g} to {lapsed:g} purchase cycles ago: overdue",
        "lapsed": f"last order more than {lapsed:g} purchase cycles ago",
    }
