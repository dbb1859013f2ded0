"""What forecasts read, made of rows in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import polars as pl

from features.core.columns import MICROSECONDS_PER_DAY
from training.forecasts.shop_events import ShopEvents

DAY = MICROSECONDS_PER_DAY
Row = tuple[str, float, str | None]


def line(user: str, day: float, category: str | None = "milk", **changed: Any) -> dict[str, Any]:
    """A bought line worth 10."""
    return {
        "user_id": user,
        "time": round(day * DAY),
        "name": category and f"Food > {category}",
        "is_refund": False,
        "value": 10.0,
        "quantity": 1.0,
        "discounted": False,
        "new_item": False,
        "new_category": False,
        **changed,
    }


def events_of(rows: Iterable[Row]) -> ShopEvents:
    """One line each: (user, day, category)."""
    return events_from([line(*row) for row in rows])


def events_from(lines: Sequence[dict[str, Any]], visits: Sequence[dict[str, Any]] = ()) -> ShopEvents:
    """Of whole lines."""
    frame = pl.DataFrame(
        lines, infer_schema_length=None, schema_overrides={"name": pl.String, "value": pl.Float64}
    )
    frame = frame.sort("time", maintain_order=True)
    users = frame.select(pl.col("user_id").unique().sort()).with_row_index("user")
    names = frame.select(pl.col("name").drop_nulls().unique().sort()).with_row_index("category")
    frame = frame.join(users, on="user_id", how="left", maintain_order="left")
    frame = frame.join(names, on="name", how="left", maintain_order="left")
    schema = {
        "user_id": pl.String,
        "time": pl.Int64,
        "session": pl.UInt32,
        "is_view": pl.Boolean,
        "is_cart": pl.Boolean,
    }
    looked = pl.DataFrame(visits, schema=schema).join(users, on="user_id", how="left").drop("user_id")
    times = np.concatenate([frame["time"].to_numpy(), looked["time"].to_numpy()])
    return ShopEvents(
        lines=frame.drop("user_id", "name"),
        visits=looked,
        users=users,
        categories=names,
        first_time=int(times.min()),
        end=int(times.max()) + 1,
        currency="EUR",
    )


def drawn_shop(*, customers: int = 400, days: int = 200, seed: int = 0) -> ShopEvents:
    """Customers with rates of their own, each order worth about what the customer's are worth; some leave."""
    chance = np.random.default_rng(seed)
    rows = []
    for user in range(customers):
        gap, worth, stays = chance.gamma(2.0, 12.0) + 2, chance.gamma(4.0, 10.0), chance.beta(12, 1)
        day = chance.uniform(0, days / 2)
        while day < days:
            rows.append(line(f"u{user:04}", day, value=float(worth * chance.uniform(0.8, 1.2))))
            if chance.random() > stays:
                break
            day += chance.exponential(gap)
    return events_from(rows)
