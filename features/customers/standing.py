"""Where each customer stands: life stage, and level of membership, as columns of the profiles."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl

from configs.settings.customers import CustomersConfig
from features.core.columns import EVENT_TYPE
from features.customers.customer_events import TIME
from features.customers.life_stage import life_stages
from features.customers.membership import level_names, membership_points, points_to_next
from features.customers.price_levels import AMOUNT
from features.customers.profile_columns import USER

NO_LEVEL = {
    "points": pl.Float64,
    "level": pl.String,
    "level_at_risk": pl.Boolean,
    "points_to_next": pl.Float64,
}


def with_life_stage(
    profiles: pl.DataFrame, *, shop_cycle: float, as_of: datetime, rules: CustomersConfig
) -> pl.DataFrame:
    """Adds `life_stage`."""
    since_first = ((pl.lit(as_of) - pl.col("first_order")).dt.total_microseconds() / 86_400e6).alias(
        "since_first"
    )
    stages = life_stages(
        profiles["order_days"].to_numpy().astype(np.int64),
        days_since_first=profiles.select(since_first.fill_null(0.0)).to_series().to_numpy(),
        days_since_last=profiles["days_since_order"].fill_null(0.0).to_numpy(),
        cycle_days=profiles["cycle_days"].cast(pl.Float64).fill_null(float("nan")).to_numpy(),
        shop_cycle=shop_cycle,
        rules=rules,
    )
    return profiles.with_columns(pl.Series("life_stage", stages, dtype=pl.String))


def with_level(
    profiles: pl.DataFrame, lines: pl.DataFrame, as_of: datetime, rules: CustomersConfig
) -> pl.DataFrame:
    """Adds the columns `NO_LEVEL`, null where the rules have no levels or no line a price. `lines` are those
    of `order_lines`."""
    if not rules.levels or not lines[AMOUNT].count():
        return profiles.with_columns(pl.lit(None, kind).alias(name) for name, kind in NO_LEVEL.items())
    rows = profiles.select(USER).with_row_index("_row").with_columns(pl.col(USER).cast(pl.Categorical))
    money = lines.drop_nulls(AMOUNT).join(rows, on=USER)
    sign = pl.when(pl.col(EVENT_TYPE) == "refund").then(-1.0).otherwise(1.0)
    found = membership_points(
        money["_row"].to_numpy().astype(np.int64),
        money[TIME].dt.epoch("us").to_numpy(),
        money.select(sign * pl.col(AMOUNT) * rules.points_per_unit).to_series().to_numpy(),
        num_people=len(profiles),
        as_of=int(as_of.timestamp() * 1e6),
        window_days=rules.level_days,
        grace_days=rules.level_grace_days,
    )
    level, present = (level_names(points, rules.levels) for points in (found.best_points, found.points))
    return profiles.with_columns(
        pl.Series("points", found.points).round(2),
        pl.Series("level", level, dtype=pl.String),
        pl.Series("level_at_risk", [one != other for one, other in zip(level, present, strict=True)]),
        pl.Series("points_to_next", points_to_next(found.points, rules.levels)).fill_nan(None).round(2),
    )
